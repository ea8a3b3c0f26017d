"""The one writer of payments, operations and refunds: one statement for a whole batch (the hot path).

Payments are locked in the order of (order, place in the order), always (`locking`).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from payments.states import EDGES, LATE_EDGES, REFUND_EDGES, PaymentStatus
from payments.store.changes import (
    ConcurrentTransitionError,
    IllegalTransitionError,
    NewOperation,
    NewPayment,
    NewRefund,
    OperationChange,
    PaymentChange,
    RefundChange,
)
from resilience.ids import new_id
from resilience.sql import recordset, uuid_array

_OPEN = """
INSERT INTO payments_payment (id, order_id, client, position, method, method_type, amount_minor, currency,
                              status, captured_minor, refunded_minor, gateway, reference, action_url,
                              decline_code, created_at)
SELECT t.id, t.order_id, t.client, t.position, t.method, t.method_type, t.amount_minor, t.currency,
       'pending', 0, 0, '', '', '', '', %s
FROM json_to_recordset(%s)
  AS t (id uuid, order_id uuid, client text, position smallint, method text, method_type text,
        amount_minor bigint, currency text)
"""

_INTEND = """
INSERT INTO payments_operation (id, payment_id, refund_id, kind, gateway, key, amount_minor, phase, outcome,
                                reference, error, sends, created_at, sent_at)
SELECT t.id, t.payment_id, t.refund_id, t.kind, t.gateway, t.key, t.amount_minor, 'sent', '',
       '', '', 1, %s, %s
FROM json_to_recordset(%s)
  AS t (id uuid, payment_id uuid, refund_id uuid, kind text, gateway text, key text, amount_minor bigint)
"""

_NOTE_UNANSWERED = """
UPDATE payments_operation SET sent_at = %s WHERE id = ANY(%s::uuid[]) AND phase = 'sent'
"""

_SEND_AGAIN = """
UPDATE payments_operation
SET phase = 'sent', sends = sends + 1, sent_at = CASE WHEN phase = 'in_doubt' THEN sent_at ELSE %s END
WHERE id = ANY(%s::uuid[]) AND phase <> 'settled'
"""

# A doubt about a payment that is captured already is about a refund, and those run side by side: what is
# known of one does not end the doubt about another. (No comment inside: benchmarks replay this on one line.)
_SETTLE = """
WITH operations AS (
  UPDATE payments_operation o
  SET phase = c.phase, outcome = c.outcome, error = c.error,
      reference = CASE WHEN c.reference = '' THEN o.reference ELSE c.reference END,
      in_doubt_since = CASE WHEN c.phase = 'in_doubt' THEN COALESCE(o.in_doubt_since, %s)
                            ELSE o.in_doubt_since END,
      sent_at = COALESCE(c.sent_at, o.sent_at), evidence = COALESCE(c.evidence, o.evidence),
      settled_at = CASE WHEN c.phase = 'settled' THEN %s END
  FROM json_to_recordset(%s)
    AS c (id uuid, phase text, outcome text, reference text, error text, sent_at timestamptz,
          evidence jsonb)
  WHERE o.id = c.id AND o.phase <> 'settled'
  RETURNING o.id
), payments AS (
  UPDATE payments_payment p
  SET status = CASE WHEN c.refunded_delta > 0 AND p.refunded_minor + c.refunded_delta = p.captured_minor
                    THEN 'refunded' ELSE c.status END,
      captured_minor = c.captured_minor,
      refunded_minor = p.refunded_minor + c.refunded_delta,
      refund_reserved_minor = p.refund_reserved_minor + c.reserved_delta,
      gateway = c.gateway, reference = c.reference,
      action_type = c.action_type, action_url = c.action_url, action_until = c.action_until,
      decline_code = c.decline_code, capture_before = c.capture_before,
      in_doubt_since = CASE
        WHEN c.is_in_doubt THEN COALESCE(p.in_doubt_since, %s)
        WHEN p.captured_minor > 0 THEN (
          SELECT min(o.in_doubt_since) FROM payments_operation o
          WHERE o.payment_id = p.id AND o.phase = 'in_doubt' AND o.id NOT IN (SELECT id FROM operations))
      END,
      settled_at = CASE WHEN c.status IN ('captured', 'declined', 'voided', 'refunded')
                        THEN COALESCE(p.settled_at, %s) END
  FROM json_to_recordset(%s)
    AS c (id uuid, expected text, status text, captured_minor bigint, refunded_delta bigint,
          reserved_delta bigint, gateway text, reference text, action_type text, action_url text,
          action_until timestamptz, decline_code text, capture_before timestamptz, is_in_doubt boolean)
  WHERE p.id = c.id AND p.status = c.expected
  RETURNING p.id
)
SELECT (SELECT count(*) FROM operations), (SELECT count(*) FROM payments)
"""

# The check constraint on payments is what refuses more than was captured.
_RESERVE_REFUNDS = """
WITH refunds AS (
  INSERT INTO payments_refund (id, payment_id, amount_minor, reason, source, status, reference, failure_code,
                               created_at)
  SELECT t.id, t.payment_id, t.amount_minor, t.reason, t.source, 'pending', '', '', %s
  FROM json_to_recordset(%s)
    AS t (id uuid, payment_id uuid, amount_minor bigint, reason text, source text)
  RETURNING payment_id, amount_minor
)
UPDATE payments_payment p SET refund_reserved_minor = p.refund_reserved_minor + t.amount_minor
FROM (SELECT payment_id, sum(amount_minor) AS amount_minor FROM refunds GROUP BY payment_id) t
WHERE p.id = t.payment_id
"""

_SETTLE_REFUNDS = """
UPDATE payments_refund r
SET status = c.status, failure_code = c.failure_code, settled_at = %s,
    reference = CASE WHEN c.reference = '' THEN r.reference ELSE c.reference END
FROM json_to_recordset(%s)
  AS c (id uuid, expected text, status text, reference text, failure_code text)
WHERE r.id = c.id AND r.status = c.expected
"""

# What somebody did at the gateway: nothing was reserved for it.
_BOOK_REFUND = """
INSERT INTO payments_refund (id, payment_id, amount_minor, reason, source, status, reference, failure_code,
                             created_at, settled_at)
VALUES (%s, %s, %s, '', 'gateway', 'succeeded', %s, '', %s, %s)
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


def intend(operations: Sequence[NewOperation], *, now: datetime) -> None:
    """Write operations as sent: once this commits, they may be at the gateway."""
    if not operations:
        return
    with connection.cursor() as cursor:
        cursor.execute(_INTEND, [now, now, recordset(map(vars, operations))])


def note_unanswered(operation_ids: Sequence[UUID], *, now: datetime) -> None:
    """Note of operations whose last answer is not known ("sent") that they may have happened until now."""
    if not operation_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_UNANSWERED, [now, uuid_array(operation_ids)])


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
        if change.status is not change.expected and change.status not in _edges_of(change):
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


def reserve_refunds(new: Sequence[NewRefund], *, now: datetime) -> None:
    """Insert refunds as pending and reserve their amounts; lock the payments first.

    Raises IntegrityError when a payment has less left than is wanted.
    """
    if new:
        with connection.cursor() as cursor:
            cursor.execute(_RESERVE_REFUNDS, [now, recordset(map(vars, new))])


def settle_refunds(changes: Sequence[RefundChange], *, now: datetime) -> None:
    """Write what became of refunds: the only writer of a refund's status.

    Their payments' amounts are written by `settle`. Raises as `settle` does.
    """
    if not changes:
        return
    for change in changes:
        if change.status not in REFUND_EDGES[change.expected]:
            raise IllegalTransitionError(f"refund {change.id}: {change.expected} -> {change.status}")
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE_REFUNDS, [now, recordset(map(vars, changes))])
        if cursor.rowcount != len(changes):
            raise ConcurrentTransitionError(f"{cursor.rowcount} of {len(changes)} refunds were as expected")


def book_refund(
    refund_id: UUID, *, payment_id: UUID, amount_minor: int, reference: str, made_at: datetime, now: datetime
) -> None:
    """Insert a refund that was made at the gateway, past us."""
    with connection.cursor() as cursor:
        cursor.execute(_BOOK_REFUND, [refund_id, payment_id, amount_minor, reference, made_at, now])


def _edges_of(change: PaymentChange) -> frozenset[PaymentStatus]:
    return (LATE_EDGES if change.is_late else EDGES).get(change.expected, frozenset())
