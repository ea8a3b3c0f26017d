"""Whose payments are, and by what kind of method they are paid: what events say beside the fact itself."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from resilience.sql import uuid_array

_PAYERS = "SELECT id, client, method_type FROM payments_payment WHERE id = ANY(%s::uuid[])"


@dataclass(frozen=True)
class Payer:
    """The API client that a payment belongs to, and the kind of its method ("card", "boleto")."""

    client: str
    method_type: str


def payers_of(payment_ids: Collection[UUID]) -> dict[UUID, Payer]:
    """Return whose these payments are, by id."""
    with connection.cursor() as cursor:
        cursor.execute(_PAYERS, [uuid_array(payment_ids)])
        return {payment_id: Payer(client, kind) for payment_id, client, kind in cursor.fetchall()}
