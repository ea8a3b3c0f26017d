"""Payments and operations in SQL: one statement for all the orders of a batch (the hot path)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from payments.states import EDGES, OperationKind, OperationOutcome, PaymentStatus, Phase
from payments.tenders import LiveOperation, Tender
from resilience.ids import new_id
from resilience.sql import recordset, uuid_array


@dataclass(frozen=True)
class NewPayment:
    """A payment to be opened."""

    order_id: UUID
    client: str
    position: int
    method: str
    amount_minor: int
    currency: str


@dataclass(frozen=True)
class NewOperation:
    """An intent: written, as sent, in the transaction before the call."""

    id: UUID
    payment_id: UUID
    kind: OperationKind
    gateway: str
    key: str
    amount_minor: int


@dataclass(frozen=True)
class OperationChange:
    """What became of an operation. `outcome` is set exactly when `phase` is SETTLED.

    `sent_at`: the gateway may have carried it out as late as this.
    """

    id: UUID
    phase: Phase
    outcome: OperationOutcome | None = None
    reference: str = ""
    error: str = ""
    sent_at: datetime | None = None


@dataclass(frozen=True)
class PaymentChange:
    """What became of a payment; `expected` is the status it must still have.

    Amounts are the new totals in minor units.
    """

    id: UUID
    expected: PaymentStatus
    status: PaymentStatus
    captured_minor: int
    refunded_minor: int
    gateway: str
    reference: str
    action_url: str = ""
    action_until: datetime | None = None
    decline_code: str = ""
    is_in_doubt: bool = False


class IllegalTransitionError(AssertionError):
    """A payment was to move along an edge that does not exist: a bug."""


class ConcurrentTransitionError(Exception):
    """A payment or operation changed under a transaction that had not locked it."""


_OPEN = """
INSERT INTO payments_payment (id, order_id, client, position, method, amount_minor, currency, status,
                              captured_minor, refunded_minor, gateway, reference, action_url, decline_code,
                              created_at)
SELECT t.id, t.order_id, t.client, t.position, t.method, t.amount_minor, t.currency, 'pending',
       0, 0, '', '', '', '', %s
FROM json_to_recordset(%s)
  AS t (id uuid, order_id uuid, client text, position smallint, method text, amount_minor bigint,
        currency text)
"""

_TENDERS = """
SELECT p.id, p.order_id, p.method, p.amount_minor, p.currency, p.status, p.captured_minor, p.refunded_minor,
       p.gateway, p.reference, p.action_url, p.action_until, p.decline_code,
       o.id, o.kind, o.gateway, o.key, o.amount_minor, o.phase, o.created_at, o.sent_at
FROM payments_payment p
LEFT JOIN payments_operation o ON o.payment_id = p.id AND o.phase <> 'settled'
WHERE p.order_id = ANY(%s::uuid[])
ORDER BY p.order_id, p.position
FOR NO KEY UPDATE OF p
"""

# Of the columns above, those of the payment; the operation's follow.
_TENDER_COLUMNS = 13

_INTEND = """
INSERT INTO payments_operation (id, payment_id, kind, gateway, key, amount_minor, phase, outcome, reference,
                                error, sends, created_at, sent_at)
SELECT t.id, t.payment_id, t.kind, t.gateway, t.key, t.amount_minor, 'sent', '', '', '', 1, %s, %s
FROM json_to_recordset(%s)
  AS t (id uuid, payment_id uuid, kind text, gateway text, key text, amount_minor bigint)
"""

_SEND_AGAIN = """
UPDATE payments_operation
SET phase = 'sent', sends = sends + 1, sent_at = CASE WHEN phase = 'in_doubt' THEN sent_at ELSE %s END
WHERE id = ANY(%s::uuid[]) AND phase <> 'settled'
"""

_SETTLE = """
WITH operations AS (
  UPDATE payments_operation o
  SET phase = c.phase, outcome = c.outcome, error = c.error,
      reference = CASE WHEN c.reference = '' THEN o.reference ELSE c.reference END,
      in_doubt_since = CASE WHEN c.phase = 'in_doubt' THEN COALESCE(o.in_doubt_since, %s)
                            ELSE o.in_doubt_since END,
      sent_at = COALESCE(c.sent_at, o.sent_at),
      settled_at = CASE WHEN c.phase = 'settled' THEN %s END
  FROM json_to_recordset(%s)
    AS c (id uuid, phase text, outcome text, reference text, error text, sent_at timestamptz)
  WHERE o.id = c.id AND o.phase <> 'settled'
  RETURNING o.id
), payments AS (
  UPDATE payments_payment p
  SET status = c.status, captured_minor = c.captured_minor, refunded_minor = c.refunded_minor,
      gateway = c.gateway, reference = c.reference, action_url = c.action_url, action_until = c.action_until,
      decline_code = c.decline_code,
      in_doubt_since = CASE WHEN c.is_in_doubt THEN COALESCE(p.in_doubt_since, %s) END,
      settled_at = CASE WHEN c.status IN ('captured', 'declined', 'voided', 'refunded')
                        THEN COALESCE(p.settled_at, %s) END
  FROM json_to_recordset(%s)
    AS c (id uuid, expected text, status text, captured_minor bigint, refunded_minor bigint, gateway text,
          reference text, action_url text, action_until timestamptz, decline_code text, is_in_doubt boolean)
  WHERE p.id = c.id AND p.status = c.expected
  RETURNING p.id
)
SELECT (SELECT count(*) FROM operations), (SELECT count(*) FROM payments)
"""


def open_payments(new: Sequence[NewPayment], *, now: datetime) -> list[UUID]:
    """Insert payments as pending and return their ids, in order."""
    ids = [new_id() for _ in new]
    with connection.cursor() as cursor:
        cursor.execute(
            _OPEN,
            [now, recordset({**vars(payment), "id": id_} for id_, payment in zip(ids, new, strict=True))],
        )
    return ids


def lock_tenders(order_ids: Sequence[UUID]) -> dict[UUID, list[Tender]]:
    """Lock and return the tenders of these orders, by order, in the order they were given in."""
    with connection.cursor() as cursor:
        cursor.execute(_TENDERS, [uuid_array(order_ids)])
        rows = cursor.fetchall()
    live: dict[UUID, list[LiveOperation]] = defaultdict(list)
    for row in rows:
        if row[_TENDER_COLUMNS] is not None:
            live[row[0]].append(_live_operation(row[_TENDER_COLUMNS:]))
    by_order: dict[UUID, list[Tender]] = {order_id: [] for order_id in order_ids}
    for row in {row[0]: row for row in rows}.values():
        by_order[row[1]].append(_tender(row, live[row[0]]))
    return by_order


def intend(operations: Sequence[NewOperation], *, now: datetime) -> None:
    """Write operations as sent: once this commits, they may be at the gateway."""
    if not operations:
        return
    with connection.cursor() as cursor:
        cursor.execute(_INTEND, [now, now, recordset(map(vars, operations))])


def send_again(operation_ids: Sequence[UUID], *, now: datetime) -> None:
    """Note that operations may be sent once more, under their keys.

    What became of one whose last answer is not known (still "sent") may have happened until now.
    """
    if not operation_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(_SEND_AGAIN, [now, uuid_array(operation_ids)])


def settle(
    operations: Sequence[OperationChange], payments: Sequence[PaymentChange], *, now: datetime
) -> None:
    """Write what became of operations and payments: the only writer of a payment's status.

    Raises IllegalTransitionError for a move without an edge, ConcurrentTransitionError when a row
    no longer has the state that the change was decided on.
    """
    if not operations and not payments:
        return
    for change in payments:
        if change.status is not change.expected and change.status not in EDGES[change.expected]:
            raise IllegalTransitionError(f"payment {change.id}: {change.expected} -> {change.status}")
    with connection.cursor() as cursor:
        cursor.execute(
            _SETTLE,
            [
                now,
                now,
                recordset({**vars(change), "outcome": change.outcome or ""} for change in operations),
                now,
                now,
                recordset(map(vars, payments)),
            ],
        )
        written = cursor.fetchone()
    if written != (len(operations), len(payments)):
        raise ConcurrentTransitionError(
            f"{written} rows were written where {(len(operations), len(payments))} were expected"
        )


def _tender(row: Sequence[Any], live: Sequence[LiveOperation]) -> Tender:
    before_status, status, after_status = row[:5], row[5], row[6:_TENDER_COLUMNS]
    values = (*before_status, PaymentStatus(status), *after_status, tuple(live))
    return Tender(*values)


def _live_operation(columns: Sequence[Any]) -> LiveOperation:
    operation_id, kind, gateway, key, amount_minor, phase, created_at, sent_at = columns
    return LiveOperation(
        operation_id, OperationKind(kind), gateway, key, amount_minor, Phase(phase), created_at, sent_at
    )
