"""The face of the payments context: what orders may use."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Sum

from payments import store
from payments.messages import message_of_payment
from payments.methods import method_type_of
from payments.models import Payment
from payments.states import DELAYED, MethodType, PaymentStatus
from payments.steps.authorize_payments import AuthorizePayments
from payments.steps.capture_payments import CapturePayments
from payments.steps.interpret import AUTHENTICATION_LASTS, CLEARING_LASTS, SLIP_LASTS
from payments.steps.return_payments import ReturnPayments, end_unsent_payments
from payments.timeline import PaymentsTimeline, timeline_of

__all__ = [
    "AuthorizePayments",
    "CapturePayments",
    "MethodType",
    "PaymentView",
    "PaymentsTimeline",
    "ReturnPayments",
    "TenderDraft",
    "end_unsent_payments",
    "method_type_of",
    "open_payments",
    "payer_may_take",
    "payments_of",
    "refunded_of",
    "time_to_pay",
    "timeline_of",
]


@dataclass(frozen=True)
class TenderDraft:
    """A method's token, how it pays, and the amount that it shall pay, in minor units."""

    method: str
    amount_minor: int
    method_type: MethodType = MethodType.CARD


@dataclass(frozen=True)
class PaymentView:
    """A payment as its order shows it."""

    id: UUID
    order_id: UUID
    method: str
    amount_minor: int
    currency: str
    status: str
    captured_minor: int = 0
    refunded_minor: int = 0
    action_type: str = ""
    action_url: str = ""
    action_until: datetime | None = None
    in_doubt_since: datetime | None = None
    refund_reserved_minor: int = 0

    @property
    def message(self) -> str:
        """What to tell the buyer while the end is not known; "" where it is."""
        return message_of_payment(
            status=PaymentStatus(self.status),
            action_type=self.action_type,
            is_in_doubt=self.in_doubt_since is not None,
            is_being_refunded=self.refund_reserved_minor > 0,
        )


def open_payments(
    *, order_id: UUID, client: str, currency: str, tenders: Sequence[TenderDraft], now: datetime
) -> list[PaymentView]:
    """Open one pending payment per tender, inside the caller's transaction; nothing is charged yet."""
    ids = store.open_payments(
        [
            store.NewPayment(
                order_id,
                client,
                position,
                tender.method,
                tender.amount_minor,
                currency,
                tender.method_type,
            )
            for position, tender in enumerate(tenders)
        ],
        now=now,
    )
    return [
        PaymentView(payment_id, order_id, tender.method, tender.amount_minor, currency, "pending")
        for payment_id, tender in zip(ids, tenders, strict=True)
    ]


def payer_may_take(*, method_type: MethodType) -> timedelta:
    """Return how long the payer of such a method may take, until the gateway says what became of it."""
    return SLIP_LASTS + CLEARING_LASTS if method_type in DELAYED else AUTHENTICATION_LASTS


def time_to_pay(*, tenders: Sequence[TenderDraft]) -> timedelta:
    """Return how much longer than others an order with these tenders may take: slips are paid within days."""
    is_delayed = any(tender.method_type in DELAYED for tender in tenders)
    return SLIP_LASTS + CLEARING_LASTS if is_delayed else timedelta()


def refunded_of(*, order_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return what was given back of each order so far, in minor units, as the primary knows it."""
    rows = Payment.objects.using("default").filter(order_id__in=order_ids).values("order_id")
    return {row["order_id"]: row["refunded"] for row in rows.annotate(refunded=Sum("refunded_minor"))}


def payments_of(*, order_ids: Sequence[UUID]) -> dict[UUID, list[PaymentView]]:
    """Return the payments of these orders, by order, in the order they were given in."""
    by_order: dict[UUID, list[PaymentView]] = {order_id: [] for order_id in order_ids}
    rows = Payment.objects.filter(order_id__in=order_ids).order_by("order_id", "position")
    for row in rows.values_list(
        "id",
        "order_id",
        "method",
        "amount_minor",
        "currency",
        "status",
        "captured_minor",
        "refunded_minor",
        "action_type",
        "action_url",
        "action_until",
        "in_doubt_since",
        "refund_reserved_minor",
    ):
        by_order[row[1]].append(PaymentView(*row))
    return by_order
