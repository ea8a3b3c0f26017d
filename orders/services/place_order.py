"""Accept an order: check it against the catalogue and write it with everything that follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from orders import store
from orders.errors import (
    CurrencyMismatchError,
    NothingToPayError,
    OrderIntakePausedError,
    PaymentsDoNotAddUpError,
    TotalTooLargeError,
    UnknownSkuError,
)
from orders.events import Line, OrderPlaced
from orders.flags import ORDER_INTAKE
from orders.sagas import PLACE_ORDER
from orders.selectors import Offer, offers_of
from orders.store import NewLine, NewOrder
from payments.public import (
    MethodType,
    PaymentView,
    TenderDraft,
    method_type_of,
    open_payments,
    time_to_pay,
)
from resilience.events import Fact, append
from resilience.ids import new_id
from resilience.saga.start import start

# The largest single charge that Stripe takes: eight digits of the smallest unit.
TOTAL_MINOR_MAX = 99_999_999
# A paused intake is a person's doing, so that it takes minutes; sooner, clients would only ask in vain.
INTAKE_RETRY_AFTER_S = 30


@dataclass(frozen=True)
class LineDraft:
    """A line as it was asked for. `unit_price_minor` None: the catalogue's price."""

    sku: str
    quantity: int
    unit_price_minor: int | None = None


@dataclass(frozen=True)
class PaymentDraft:
    """A payment as it was asked for. `amount_minor` None: whatever the others leave.

    `method_type` None: what the method's token says.
    """

    method: str
    amount_minor: int | None = None
    method_type: MethodType | None = None


@dataclass(frozen=True)
class OrderDraft:
    """An order as it was asked for."""

    customer_reference: str
    customer_email: str
    currency: str
    lines: tuple[LineDraft, ...]
    payments: tuple[PaymentDraft, ...]
    shipping_minor: int
    metadata: Mapping[str, object]
    placed_at: datetime | None = None


@dataclass(frozen=True)
class PlacedOrder:
    """An accepted order, as it stands in the database now."""

    order: NewOrder
    number: int
    payments: Sequence[PaymentView]


def place_order(*, client: str, draft: OrderDraft, now: datetime) -> PlacedOrder:
    """Write order, lines, payments, event and saga in the caller's transaction: all of them or none.

    Talks to nobody: neither broker nor gateway. Raises UnknownSkuError, CurrencyMismatchError,
    NothingToPayError, TotalTooLargeError, PaymentsDoNotAddUpError and OrderIntakePausedError, having written
    nothing.
    """
    if not ORDER_INTAKE.is_on():
        raise OrderIntakePausedError(
            "No orders are taken at the moment. Send the same request again later.",
            retry_after_s=INTAKE_RETRY_AFTER_S,
        )
    lines = _price(draft, offers_of({line.sku for line in draft.lines}))
    total_minor = sum(line.total_minor for line in lines) + draft.shipping_minor
    tenders = split_total(total_minor, draft.payments)
    order = NewOrder(
        id=new_id(),
        client=client,
        customer_reference=draft.customer_reference,
        customer_email=draft.customer_email,
        currency=draft.currency,
        shipping_minor=draft.shipping_minor,
        total_minor=total_minor,
        metadata=dict(draft.metadata),
        placed_at=draft.placed_at or now,
        lines=lines,
    )
    with transaction.atomic(savepoint=False):
        number = store.insert_order(order)
        payments = open_payments(
            order_id=order.id, client=client, currency=order.currency, tenders=tenders, now=now
        )
        start(
            PLACE_ORDER,
            business_key=order.id,
            data={},
            now=now,
            lasts_at_most=PLACE_ORDER.lasts_at_most + time_to_pay(tenders=tenders),
        )
        append([Fact(order.id, _placed(order), order.client)], occurred_at=now)
    return PlacedOrder(order, number, payments)


def split_total(total_minor: int, payments: Sequence[PaymentDraft]) -> list[TenderDraft]:
    """Return what each payment takes of `total_minor`; they add up to it exactly.

    Raises NothingToPayError, TotalTooLargeError or PaymentsDoNotAddUpError.
    """
    if total_minor == 0:
        raise NothingToPayError("The order's total is zero. Send lines that cost something.")
    if total_minor > TOTAL_MINOR_MAX:
        raise TotalTooLargeError(
            f"The order's total is {total_minor}; at most {TOTAL_MINOR_MAX} can be paid."
        )
    named_minor = sum(payment.amount_minor or 0 for payment in payments)
    rests = [payment for payment in payments if payment.amount_minor is None]
    rest_minor = total_minor - named_minor
    if len(rests) > 1:
        raise PaymentsDoNotAddUpError("At most one payment may leave out its amount.")
    if (rests and rest_minor <= 0) or (not rests and rest_minor != 0):
        raise PaymentsDoNotAddUpError(
            f"The payments' amounts are {named_minor}, the order's total is {total_minor}. "
            "Make them equal, or leave out one amount to let that payment take the rest.",
            total=total_minor,
        )
    return [
        TenderDraft(
            payment.method,
            rest_minor if payment.amount_minor is None else payment.amount_minor,
            payment.method_type or method_type_of(token=payment.method),
        )
        for payment in payments
    ]


def _price(draft: OrderDraft, offers: Mapping[str, Offer]) -> tuple[NewLine, ...]:
    missing = sorted({line.sku for line in draft.lines} - offers.keys())
    if missing:
        raise UnknownSkuError(f"The catalogue has no {', '.join(missing[:10])}. See GET /api/v1/products.")
    lines = []
    for line in draft.lines:
        offer = offers[line.sku]
        if offer.currency != draft.currency:
            raise CurrencyMismatchError(
                f"{line.sku} is sold in {offer.currency}, the order is in {draft.currency}. Use one currency."
            )
        price_minor = offer.price_minor if line.unit_price_minor is None else line.unit_price_minor
        lines.append(NewLine(line.sku, offer.name, line.quantity, price_minor))
    return tuple(lines)


def _placed(order: NewOrder) -> OrderPlaced:
    return OrderPlaced(
        order_id=order.id,
        client=order.client,
        customer_reference=order.customer_reference,
        currency=order.currency,
        shipping_minor=order.shipping_minor,
        total_minor=order.total_minor,
        lines=tuple(
            Line(line.sku, line.quantity, line.unit_price_minor, line.total_minor) for line in order.lines
        ),
        placed_at=order.placed_at,
    )
