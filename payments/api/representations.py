"""Payments and refunds as answers say them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from payments.messages import message_of_payment, message_of_refund
from payments.models import Dispute, Payment, Refund
from payments.selectors import Doubt
from payments.states import PaymentStatus, RefundStatus
from resilience.rest.timestamps import timestamp

Json = dict[str, Any]


def money(amount_minor: int, currency: str) -> Json:
    """Return an amount with its currency."""
    return {"amount": amount_minor, "currency": currency}


def payment(row: Payment, *, disputes: Sequence[Dispute], next_check_at: datetime | None) -> Json:
    """Return a payment as it stands."""
    return {
        "id": str(row.id),
        "order_id": str(row.order_id),
        "method": row.method,
        "method_type": row.method_type,
        "status": row.status,
        "processing": row.status == PaymentStatus.PROCESSING,
        "amount": money(row.amount_minor, row.currency),
        "captured": money(row.captured_minor, row.currency),
        "refunded": money(row.refunded_minor, row.currency),
        "refundable": money(_refundable_minor(row), row.currency),
        "disputes": [_dispute(dispute) for dispute in disputes],
        "decline_code": row.decline_code or None,
        "action_url": row.action_url or None,
        "next_action": _next_action(row),
        "in_doubt_since": timestamp(row.in_doubt_since),
        "next_check_at": timestamp(next_check_at),
        "message": _message(row) or None,
        "capture_before": timestamp(row.capture_before),
        "created_at": timestamp(row.created_at),
        "settled_at": timestamp(row.settled_at),
    }


def refund(row: Refund, *, currency: str, doubt: Doubt | None) -> Json:
    """Return a refund as it stands; `doubt` is None unless the gateway was asked and has not answered."""
    shown: Json = {
        "id": str(row.id),
        "payment_id": str(row.payment_id),
        "status": row.status,
        "amount": money(row.amount_minor, currency),
        "reason": row.reason or None,
        "failure_code": row.failure_code or None,
        "source": row.source,
        "created_at": timestamp(row.created_at),
        "settled_at": timestamp(row.settled_at),
    }
    if doubt:
        shown["in_doubt_since"] = timestamp(doubt.since)
        if doubt.next_check_at:
            shown["next_check_at"] = timestamp(doubt.next_check_at)
    if message := message_of_refund(status=RefundStatus(row.status), is_in_doubt=doubt is not None):
        shown["message"] = message
    return shown


def _refundable_minor(row: Payment) -> int:
    return row.captured_minor - row.refunded_minor - row.refund_reserved_minor


def _message(row: Payment) -> str:
    return message_of_payment(
        status=PaymentStatus(row.status),
        action_type=row.action_type,
        is_in_doubt=row.in_doubt_since is not None,
        is_being_refunded=row.refund_reserved_minor > 0,
    )


def _next_action(row: Payment) -> Json | None:
    if not row.action_type:
        return None
    return {"type": row.action_type, "url": row.action_url, "until": timestamp(row.action_until)}


def _dispute(row: Dispute) -> Json:
    return {
        "id": str(row.id),
        "status": row.status,
        "amount": money(row.amount_minor, row.currency),
        "reason": row.reason or None,
        "opened_at": timestamp(row.opened_at),
        "closed_at": timestamp(row.closed_at),
    }
