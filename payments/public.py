"""The face of the payments context: what orders may use."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payments import store
from payments.models import Payment
from payments.steps.authorize_payments import AuthorizePayments
from payments.steps.capture_payments import CapturePayments
from payments.steps.return_payments import ReturnPayments, end_unsent_payments

__all__ = [
    "AuthorizePayments",
    "CapturePayments",
    "PaymentView",
    "ReturnPayments",
    "TenderDraft",
    "end_unsent_payments",
    "open_payments",
    "payments_of",
]


@dataclass(frozen=True)
class TenderDraft:
    """A method's token and the amount it shall pay, in minor units."""

    method: str
    amount_minor: int


@dataclass(frozen=True)
class PaymentView:
    """A payment as its order shows it."""

    id: UUID
    order_id: UUID
    method: str
    amount_minor: int
    currency: str
    status: str
    action_url: str = ""
    in_doubt_since: datetime | None = None


def open_payments(
    *, order_id: UUID, client: str, currency: str, tenders: Sequence[TenderDraft], now: datetime
) -> list[PaymentView]:
    """Open one pending payment per tender, inside the caller's transaction; nothing is charged yet."""
    ids = store.open_payments(
        [
            store.NewPayment(order_id, client, position, tender.method, tender.amount_minor, currency)
            for position, tender in enumerate(tenders)
        ],
        now=now,
    )
    return [
        PaymentView(payment_id, order_id, tender.method, tender.amount_minor, currency, "pending")
        for payment_id, tender in zip(ids, tenders, strict=True)
    ]


def payments_of(*, order_ids: Sequence[UUID]) -> dict[UUID, list[PaymentView]]:
    """Return the payments of these orders, by order, in the order they were given in."""
    by_order: dict[UUID, list[PaymentView]] = {order_id: [] for order_id in order_ids}
    rows = Payment.objects.filter(order_id__in=order_ids).order_by("order_id", "position")
    for row in rows.values_list(
        "id", "order_id", "method", "amount_minor", "currency", "status", "action_url", "in_doubt_since"
    ):
        by_order[row[1]].append(PaymentView(*row))
    return by_order
