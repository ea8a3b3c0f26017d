"""Orders and products as answers say them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from orders.models import Order, Product
from orders.services.place_order import PlacedOrder
from payments.public import PaymentView
from resilience.rest.timestamps import timestamp

Json = dict[str, Any]


def money(amount_minor: int, currency: str) -> Json:
    """Return an amount with its currency."""
    return {"amount": amount_minor, "currency": currency}


def placed_order(placed: PlacedOrder) -> Json:
    """Return an order that was accepted a moment ago, without reading it again."""
    order = placed.order
    return _order(
        order_id=order.id,
        number=placed.number,
        status="pending",
        customer_reference=order.customer_reference,
        customer_email=order.customer_email,
        currency=order.currency,
        lines=order.lines,
        shipping_minor=order.shipping_minor,
        total_minor=order.total_minor,
        payments=placed.payments,
        metadata=order.metadata,
        cancel_reason="",
        placed_at=order.placed_at,
        settled_at=None,
    )


def order(row: Order, payments: Sequence[PaymentView]) -> Json:
    """Return an order as it stands."""
    return _order(
        order_id=row.id,
        number=row.number,
        status=row.status,
        customer_reference=row.customer_reference,
        customer_email=row.customer_email,
        currency=row.currency,
        lines=sorted(row.lines.all(), key=lambda line: line.position),
        shipping_minor=row.shipping_minor,
        total_minor=row.total_minor,
        payments=payments,
        metadata=row.metadata,
        cancel_reason=row.cancel_reason,
        placed_at=row.placed_at,
        settled_at=row.settled_at,
    )


def product(row: Product) -> Json:
    """Return a product with its stock."""
    return {
        "sku": row.sku,
        "name": row.name,
        "price": money(row.price_minor, row.currency),
        "stock": {
            "on_hand": row.on_hand,
            "reserved": row.reserved,
            "available": row.on_hand - row.reserved,
        },
    }


def _order(
    *,
    order_id: UUID,
    number: int,
    status: str,
    customer_reference: str,
    customer_email: str,
    currency: str,
    lines: Iterable[Any],
    shipping_minor: int,
    total_minor: int,
    payments: Sequence[PaymentView],
    metadata: Json,
    cancel_reason: str,
    placed_at: datetime,
    settled_at: datetime | None,
) -> Json:
    return {
        "id": str(order_id),
        "number": number,
        "status": status,
        "customer": {"reference": customer_reference, "email": customer_email or None},
        "lines": [
            {
                "sku": line.sku,
                "name": line.name,
                "quantity": line.quantity,
                "unit_price": money(line.unit_price_minor, currency),
                "total": money(line.total_minor, currency),
            }
            for line in lines
        ],
        "shipping": money(shipping_minor, currency),
        "total": money(total_minor, currency),
        "payments": [_payment(payment) for payment in payments],
        "metadata": metadata,
        "cancel_reason": cancel_reason or None,
        "placed_at": timestamp(placed_at),
        "settled_at": timestamp(settled_at),
    }


def _payment(payment: PaymentView) -> Json:
    shown: Json = {
        "id": str(payment.id),
        "method": payment.method,
        "amount": money(payment.amount_minor, payment.currency),
        "status": payment.status,
        "captured": money(payment.captured_minor, payment.currency),
        "refunded": money(payment.refunded_minor, payment.currency),
    }
    if payment.action_url:
        shown["action_url"] = payment.action_url
    if payment.action_type:
        shown["next_action"] = {
            "type": payment.action_type,
            "url": payment.action_url,
            "until": timestamp(payment.action_until),
        }
    if payment.in_doubt_since:
        shown["in_doubt_since"] = timestamp(payment.in_doubt_since)
    if payment.message:
        shown["message"] = payment.message
    return shown
