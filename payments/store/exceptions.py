"""Reconciliation exceptions in SQL: one open row per difference, however often it is found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from payments.errors import ExceptionNotFoundError, ExceptionResolvedError
from payments.states import ExceptionKind
from resilience.ids import new_id
from resilience.sql import recordset


@dataclass(frozen=True)
class Difference:
    """What a gateway's list says otherwise than ours. `reference`: the gateway's id, or our payment's.

    `occurred_at`: when the money moved that it is about, None where no list was read.
    """

    gateway: str
    kind: ExceptionKind
    reference: str
    ours: str = ""
    theirs: str = ""
    payment_id: UUID | None = None
    order_id: UUID | None = None
    occurred_at: datetime | None = None


# What a person has explained stays explained, for as long as both sides say the same.
_OPEN = """
INSERT INTO payments_reconciliation_exception
  (id, gateway, kind, reference, payment_id, order_id, ours, theirs, occurred_at, first_seen_at, last_seen_at,
   resolution)
SELECT d.id, d.gateway, d.kind, d.reference, d.payment_id, d.order_id, d.ours, d.theirs, d.occurred_at,
       %s, %s, ''
FROM json_to_recordset(%s)
  AS d (id uuid, gateway text, kind text, reference text, payment_id uuid, order_id uuid, ours text,
        theirs text, occurred_at timestamptz)
WHERE NOT EXISTS (
  SELECT FROM payments_reconciliation_exception e
  WHERE e.gateway = d.gateway AND e.reference = d.reference AND e.kind = d.kind AND e.ours = d.ours
    AND e.theirs = d.theirs AND e.resolved_by <> '')
ORDER BY d.gateway, d.kind, d.reference
ON CONFLICT (gateway, kind, reference) WHERE resolved_at IS NULL DO UPDATE
SET last_seen_at = greatest(payments_reconciliation_exception.last_seen_at, excluded.last_seen_at),
    ours = excluded.ours, theirs = excluded.theirs,
    payment_id = coalesce(excluded.payment_id, payments_reconciliation_exception.payment_id),
    order_id = coalesce(excluded.order_id, payments_reconciliation_exception.order_id),
    occurred_at = coalesce(excluded.occurred_at, payments_reconciliation_exception.occurred_at)
RETURNING kind, reference
"""

# Not found by the pass that began at `begun_at`, and within what that pass has read; one without a time is
# within the whole list only. Only a person can say that a payer whose refund came back has got their money
# another way.
_UNSEEN = """
gateway = %(gateway)s AND resolved_at IS NULL AND last_seen_at < %(begun_at)s AND kind <> 'refund_failed'
AND (%(since)s::timestamptz IS NULL OR occurred_at >= %(since)s)
"""
_UNSEEN_CHARGES = f"""
SELECT gateway, kind, reference, ours, theirs, payment_id, order_id, occurred_at
FROM payments_reconciliation_exception
WHERE {_UNSEEN} AND kind IN ('amount_differs', 'currency_differs', 'status_differs', 'unknown_charge')
ORDER BY reference LIMIT %(limit)s
"""  # noqa: S608 # nothing of it comes from outside
_RESOLVE_UNSEEN = f"""
UPDATE payments_reconciliation_exception SET resolved_at = %(now)s, resolution = 'not found any more'
WHERE {_UNSEEN}
"""  # noqa: S608

_SEEN_LATELY = """
SELECT DISTINCT ON (reference)
  gateway, kind, reference, ours, theirs, payment_id, order_id, occurred_at
FROM payments_reconciliation_exception
WHERE gateway = %s AND reference = ANY(%s) AND resolved_at IS NULL AND kind <> 'refund_failed'
  AND last_seen_at >= %s
ORDER BY reference, last_seen_at DESC, kind
"""

_RESOLVE = """
UPDATE payments_reconciliation_exception SET resolved_at = %s, resolved_by = %s, resolution = %s
WHERE id = %s AND resolved_at IS NULL
"""


def open_exceptions(differences: Sequence[Difference], *, now: datetime) -> frozenset[tuple[str, str]]:
    """Open an exception for each difference, or note that it is still there.

    Returns (kind, reference) of those that are open: not of what a person has explained already.
    """
    if not differences:
        return frozenset()
    rows = {(one.gateway, one.kind, one.reference): one for one in differences}
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [now, now, recordset({**vars(row), "id": new_id()} for row in rows.values())])
        return frozenset(cursor.fetchall())


def seen_lately(
    gateway: str, references: Sequence[str], *, now: datetime, within: timedelta
) -> dict[str, Difference]:
    """Return, by reference, what was found about these so lately that nobody need ask about it again."""
    with connection.cursor() as cursor:
        cursor.execute(_SEEN_LATELY, [gateway, list(references), now - within])
        return {row[2]: _difference(row) for row in cursor.fetchall()}


def unseen_charges(
    gateway: str, *, since: datetime | None, begun_at: datetime, limit: int
) -> list[Difference]:
    """Return open exceptions about charges that a pass did not find, and that no list need mention.

    A charge that was authorized at another amount is in no list; the gateway has to be asked about it.
    """
    values = {"gateway": gateway, "since": since, "begun_at": begun_at, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(_UNSEEN_CHARGES, values)
        return [_difference(row) for row in cursor.fetchall()]


def resolve_unseen(gateway: str, *, since: datetime | None, begun_at: datetime, now: datetime) -> int:
    """Resolve what a pass over the list from `since` on (None: all of it) found no more; return how many.

    What is older than `since`, or of no known time, was not looked for by a pass over a part.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _RESOLVE_UNSEEN, {"gateway": gateway, "since": since, "begun_at": begun_at, "now": now}
        )
        return cursor.rowcount


def resolve_by_hand(exception_id: UUID, *, operator: str, note: str, now: datetime) -> None:
    """Close an exception with a person's note. Raises ExceptionNotFoundError, ExceptionResolvedError."""
    with connection.cursor() as cursor:
        cursor.execute(_RESOLVE, [now, operator, note, exception_id])
        if cursor.rowcount == 1:
            return
        cursor.execute("SELECT FROM payments_reconciliation_exception WHERE id = %s", [exception_id])
        if cursor.rowcount == 0:
            raise ExceptionNotFoundError(f"There is no reconciliation exception {exception_id}.")
    raise ExceptionResolvedError("This exception is resolved already. Read its resolution.")


def _difference(row: tuple[Any, ...]) -> Difference:
    return Difference(row[0], ExceptionKind(row[1]), *row[2:])
