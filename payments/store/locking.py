"""Payments, locked for whoever is about to move them.

They are locked in the order of (order, place in the order), always.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from payments.states import MethodType, OperationKind, PaymentStatus, Phase, RefundSource
from payments.tenders import LiveOperation, PendingRefund, Tender
from resilience.sql import uuid_array

_TENDERS = """
SELECT p.id, p.order_id, p.method, p.amount_minor, p.currency, p.status, p.captured_minor, p.refunded_minor,
       p.gateway, p.reference, p.action_url, p.action_until, p.decline_code, p.method_type,
       p.refund_reserved_minor, p.capture_before,
       o.id, o.kind, o.gateway, o.key, o.amount_minor, o.phase, o.created_at, o.sent_at, o.refund_id
FROM payments_payment p
LEFT JOIN payments_operation o ON o.payment_id = p.id AND o.phase <> 'settled'
WHERE {which} = ANY(%s::uuid[])
ORDER BY p.order_id, p.position
FOR NO KEY UPDATE OF p
"""
_TENDERS_OF_ORDERS = _TENDERS.format(which="p.order_id")
_TENDERS_BY_ID = _TENDERS.format(which="p.id")

# Of the columns above, those of the payment; the operation's follow.
_TENDER_COLUMNS = 16

_PENDING_REFUNDS = """
SELECT id, payment_id, amount_minor, source FROM payments_refund
WHERE {which} = ANY(%s::uuid[]) AND status = 'pending' ORDER BY id
"""
_PENDING_REFUNDS_OF_PAYMENTS = _PENDING_REFUNDS.format(which="payment_id")
_PENDING_REFUNDS_BY_ID = _PENDING_REFUNDS.format(which="id")

_REFUSALS = """
SELECT payment_id, gateway FROM payments_operation
WHERE payment_id = ANY(%s::uuid[]) AND kind = 'authorize' AND outcome = 'declined'
"""


def lock_tenders(order_ids: Sequence[UUID]) -> dict[UUID, list[Tender]]:
    """Lock and return the tenders of these orders, by order, in the order they were given in."""
    by_order: dict[UUID, list[Tender]] = {order_id: [] for order_id in order_ids}
    for tender in _locked(_TENDERS_OF_ORDERS, order_ids):
        by_order[tender.order_id].append(tender)
    return by_order


def lock_payments(payment_ids: Sequence[UUID]) -> dict[UUID, Tender]:
    """Lock and return these payments, by id."""
    return {tender.id: tender for tender in _locked(_TENDERS_BY_ID, payment_ids)}


def pending_refunds_of(payment_ids: Sequence[UUID]) -> dict[UUID, list[PendingRefund]]:
    """Return the refunds under way of these payments, by payment; lock the payments first."""
    by_payment: dict[UUID, list[PendingRefund]] = {payment_id: [] for payment_id in payment_ids}
    for refund in _refunds(_PENDING_REFUNDS_OF_PAYMENTS, payment_ids):
        by_payment[refund.payment_id].append(refund)
    return by_payment


def lock_pending_refunds(
    refund_ids: Sequence[UUID],
) -> tuple[dict[UUID, Tender], dict[UUID, PendingRefund]]:
    """Lock the payments of those of these refunds that have not ended; return both, by id."""
    wanted = _pending_refunds(refund_ids)
    tenders = lock_payments([refund.payment_id for refund in wanted.values()])
    # Once more, now that their payments are locked and nobody else can end them.
    return tenders, _pending_refunds(list(wanted))


def _pending_refunds(refund_ids: Sequence[UUID]) -> dict[UUID, PendingRefund]:
    return {refund.id: refund for refund in _refunds(_PENDING_REFUNDS_BY_ID, refund_ids)}


def refusals_of(payment_ids: Sequence[UUID]) -> dict[UUID, frozenset[str]]:
    """Return the accounts that have declined these payments, by payment; without a refusal: no key."""
    if not payment_ids:
        return {}
    by_payment: dict[UUID, set[str]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(_REFUSALS, [uuid_array(payment_ids)])
        for payment_id, gateway in cursor.fetchall():
            by_payment[payment_id].add(gateway)
    return {payment_id: frozenset(gateways) for payment_id, gateways in by_payment.items()}


def _refunds(statement: str, ids: Sequence[UUID]) -> list[PendingRefund]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [uuid_array(ids)])
        return [
            PendingRefund(refund_id, payment_id, amount_minor, RefundSource(source))
            for refund_id, payment_id, amount_minor, source in cursor.fetchall()
        ]


def _locked(statement: str, ids: Sequence[UUID]) -> list[Tender]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [uuid_array(ids)])
        rows = cursor.fetchall()
    live: dict[UUID, list[LiveOperation]] = defaultdict(list)
    for row in rows:
        if row[_TENDER_COLUMNS] is not None:
            live[row[0]].append(_live_operation(row[_TENDER_COLUMNS:]))
    return [_tender(row, live[row[0]]) for row in {row[0]: row for row in rows}.values()]


def _tender(row: Sequence[Any], live: Sequence[LiveOperation]) -> Tender:
    values = list(row[:_TENDER_COLUMNS])
    values[5] = PaymentStatus(values[5])
    values[13] = MethodType(values[13])
    return Tender(*[*values, tuple(live)])


def _live_operation(columns: Sequence[Any]) -> LiveOperation:
    operation_id, kind, gateway, key, amount_minor, phase, created_at, sent_at, refund_id = columns
    return LiveOperation(
        id=operation_id,
        kind=OperationKind(kind),
        gateway=gateway,
        key=key,
        amount_minor=amount_minor,
        phase=Phase(phase),
        created_at=created_at,
        sent_at=sent_at,
        refund_id=refund_id,
    )
