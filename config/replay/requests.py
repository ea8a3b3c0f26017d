"""A past order as a request to the API. Nothing is filtered: what cannot be placed, the API refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from config.replay.source import SourceOrder, SourcePayment

# The sandbox's method for each payment type of the source; its boletos pay themselves. A type without a line
# here is sent under its own name, and the gateway says that there is no such method.
METHODS: Mapping[str, str] = {
    "boleto": "pm_boleto",
    "credit_card": "pm_card_visa",
    "debit_card": "pm_card_visa_debit",
    "voucher": "pm_voucher",
}


@dataclass(frozen=True)
class OrderRequest:
    """What is posted, and under which Idempotency-Key."""

    source_order_id: str
    key: str
    body: dict[str, Any]


def order_request(order: SourceOrder, *, zone: tzinfo) -> OrderRequest:
    """Return the request that places `order`; the same order gives the same request, always.

    `zone` is where local times of the source were taken. Shipping is what was paid beyond the items:
    the source's freight, and in a few orders a card's interest.
    """
    body: dict[str, Any] = {
        "customer": {} if order.customer_id is None else {"reference": order.customer_id},
        "currency": order.currency,
        "lines": [
            {"sku": line.sku, "quantity": line.quantity, "unit_price": line.unit_price_minor}
            for line in order.lines
        ],
        "payments": [
            {"method": METHODS.get(payment.type, payment.type), "amount": payment.amount_minor}
            for payment in _in_sequence(order)
        ],
        "shipping": order.paid_minor - order.items_minor,
        "metadata": _metadata(order),
    }
    if order.placed_at is not None:
        body["placed_at"] = utc_text(order.placed_at, zone=zone)
    return OrderRequest(order.order_id, f"replay-order-{order.order_id}", body)


def stock_key(*, digest: str, sku: str) -> str:
    """Return the Idempotency-Key under which a file's units of a product are put on stock, once."""
    return f"replay-stock-{digest[:32]}-{sku}"


def utc_text(moment: datetime, *, zone: tzinfo) -> str:
    """Return a time of the source as the API takes it; `zone` is for one that has none.

    A local time that a clock change skipped or repeated is read by the offset before the change.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _in_sequence(order: SourceOrder) -> list[SourcePayment]:
    return sorted(order.payments, key=lambda payment: payment.seq)


def _metadata(order: SourceOrder) -> dict[str, Any]:
    """What the API has no field for. `installments` and `payment_types` follow the payments' order."""
    payments = _in_sequence(order)
    return {
        "source_order_id": order.order_id,
        "source_status": order.status,
        "customer_state": order.customer_state,
        "freight": order.freight_minor,
        "installments": [payment.installments for payment in payments],
        "payment_types": [payment.type for payment in payments],
    }
