"""Reconciliation exceptions in SQL: one open row per difference, however often it is found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from payments.states import ExceptionKind
from resilience.ids import new_id
from resilience.sql import recordset


@dataclass(frozen=True)
class Difference:
    """What a gateway's list says otherwise than ours. `reference`: the gateway's id, or our payment's."""

    gateway: str
    kind: ExceptionKind
    reference: str
    ours: str = ""
    theirs: str = ""
    payment_id: UUID | None = None
    order_id: UUID | None = None


_OPEN = """
INSERT INTO payments_reconciliation_exception
  (id, gateway, kind, reference, payment_id, order_id, ours, theirs, first_seen_at, last_seen_at, resolution)
SELECT d.id, d.gateway, d.kind, d.reference, d.payment_id, d.order_id, d.ours, d.theirs, %s, %s, ''
FROM json_to_recordset(%s)
  AS d (id uuid, gateway text, kind text, reference text, payment_id uuid, order_id uuid, ours text,
        theirs text)
ON CONFLICT (gateway, kind, reference) WHERE resolved_at IS NULL DO UPDATE
SET last_seen_at = excluded.last_seen_at, ours = excluded.ours, theirs = excluded.theirs
"""

# Found again in a pass: last_seen_at is that pass's time; what is older was not found any more. Only a person
# can say that a payer whose refund came back has got their money another way.
_RESOLVE_UNSEEN = """
UPDATE payments_reconciliation_exception SET resolved_at = %s, resolution = 'not found any more'
WHERE gateway = %s AND resolved_at IS NULL AND last_seen_at < %s AND kind <> 'refund_failed'
"""


def open_exceptions(differences: Sequence[Difference], *, now: datetime) -> None:
    """Open an exception for each difference, or note that it is still there."""
    if not differences:
        return
    rows = {(one.gateway, one.kind, one.reference): one for one in differences}
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [now, now, recordset({**vars(row), "id": new_id()} for row in rows.values())])


def resolve_unseen(gateway: str, *, since: datetime, now: datetime) -> int:
    """Resolve what a whole pass over the account, begun at `since`, found no more; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_RESOLVE_UNSEEN, [now, gateway, since])
        return cursor.rowcount
