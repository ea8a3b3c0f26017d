"""Disputes in SQL: the one writer of their status."""

from datetime import datetime
from uuid import UUID

from django.db import connection

from payments.states import DISPUTE_EDGES, DisputeStatus
from payments.store.changes import ConcurrentTransitionError, IllegalTransitionError

_RECORD = """
INSERT INTO payments_dispute (id, payment_id, gateway, reference, amount_minor, currency, reason, status,
                              opened_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, 'open', %s)
"""

_CLOSE = """
UPDATE payments_dispute SET status = %s, closed_at = %s WHERE id = %s AND status = 'open'
"""


def record_dispute(
    dispute_id: UUID,
    *,
    payment_id: UUID,
    gateway: str,
    reference: str,
    amount_minor: int,
    currency: str,
    reason: str,
    opened_at: datetime,
) -> None:
    """Insert a dispute as open."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORD,
            [dispute_id, payment_id, gateway, reference, amount_minor, currency, reason, opened_at],
        )


def close_dispute(dispute_id: UUID, *, status: DisputeStatus, now: datetime) -> None:
    """Say how an open dispute ended. Raises IllegalTransitionError, ConcurrentTransitionError."""
    if status not in DISPUTE_EDGES[DisputeStatus.OPEN]:
        raise IllegalTransitionError(f"dispute {dispute_id}: open -> {status}")
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, [status, now, dispute_id])
        if cursor.rowcount != 1:
            raise ConcurrentTransitionError(f"dispute {dispute_id} is not open any more")
