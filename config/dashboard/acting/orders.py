"""What may be done to orders, to their payments, and to what reconciliation found."""

from decimal import Decimal

from django import forms
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from config.dashboard.acting.act import (
    Act,
    Foreseen,
    Kept,
    NoSuchSubjectError,
    ReasonForm,
    Wish,
    foreseeing,
    uuid_of,
)
from orders.models import Order
from orders.services.cancel_order import cancel_order
from orders.states import OrderStatus
from payments.models import Payment, ReconciliationException, Refund
from payments.money import Money, currency_exponent
from payments.services.request_refund import request_refund
from payments.services.resolve_exception import resolve_exception
from payments.states import DisputeStatus, RefundStatus
from resilience.errors import Refusal
from resilience.saga.start import signal


class AmountForm(ReasonForm):
    """A refund: of all that is left, or of less."""

    amount = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=20,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="In the payment's currency, and for one payment only; empty gives back all that is left.",
    )
    field_order: list[str] | None = ["amount", "reason"]


class AmountNotPossibleError(Refusal):
    """The currency has fewer decimals than the amount, or it is nothing."""

    code = "amount_not_possible"


class AmountForManyError(Refusal):
    """One number for several payments, perhaps of several currencies."""

    code = "amount_for_many"


class NobodyWaitsError(Refusal):
    """Nothing of this payment is under way that goes on by itself, so that nobody would ask."""

    code = "nobody_waits"


def _cancelling(order: Order) -> Foreseen:
    title = f"Order {order.number} of {order.client}, {Money(order.total_minor, order.currency)}"
    if order.status == OrderStatus.CANCELLED:
        return Foreseen(str(order.pk), title, refusal="It is cancelled already.")
    back = "what was taken goes back" if order.settled_at else "what was held or taken goes back"
    return Foreseen(str(order.pk), title, f"It is {order.status}: {back}, and its stock is released.")


def _cancel(wish: Wish) -> str:
    order_id = uuid_of(wish)
    client = Order.objects.using("default").filter(pk=order_id).values_list("client", flat=True).first()
    if client is None:
        raise NoSuchSubjectError(f"There is no order {order_id}.")
    if not cancel_order(client=client, order_id=order_id, now=wish.now):
        return "was cancelled already"
    return "is being cancelled"


def _title(payment: Payment) -> str:
    return f"{Money(payment.amount_minor, payment.currency)} on {payment.method} ({payment.status})"


def _refunding(payment: Payment) -> Foreseen:
    left = payment.captured_minor - payment.refunded_minor - payment.refund_reserved_minor
    if left == 0:
        return Foreseen(str(payment.pk), _title(payment), refusal="Nothing is left to give back.")
    if any(dispute.status != DisputeStatus.WON for dispute in payment.disputes.all()):
        return Foreseen(str(payment.pk), _title(payment), refusal="The payer disputes it, and has the money.")
    most = Money(left, payment.currency)
    return Foreseen(str(payment.pk), _title(payment), f"At most {most} goes back to the payer.")


def _refund(wish: Wish) -> str:
    payment = Payment.objects.using("default").filter(pk=uuid_of(wish)).first()
    if payment is None:
        raise NoSuchSubjectError(f"There is no payment {wish.id}.")
    amount: Decimal | None = wish.values.get("amount")
    if amount is not None and wish.of > 1:
        raise AmountForManyError("An amount is for one payment: choose one, or leave it empty for all.")
    refund = request_refund(
        client=payment.client,
        payment_id=payment.pk,
        amount_minor=None if amount is None else _minor(amount, payment.currency),
        reason="requested by operator",
        now=wish.now,
    )
    return f"gives back {Money(refund.amount_minor, payment.currency)} (refund {refund.pk})"


def _minor(amount: Decimal, currency: str) -> int:
    minor = amount.scaleb(currency_exponent(currency))
    if minor != minor.to_integral_value() or minor <= 0:
        raise AmountNotPossibleError(
            f"{amount} {currency} cannot be given back: say more than nothing, with at most "
            f"{currency_exponent(currency)} decimals."
        )
    return int(minor)


def _asking(payment: Payment) -> Foreseen:
    what = "Its saga asks the gateway now, not when its wait is over."
    return Foreseen(str(payment.pk), _title(payment), what)


def _ask(wish: Wish) -> str:
    payment = Payment.objects.using("default").filter(pk=uuid_of(wish)).first()
    if payment is None:
        raise NoSuchSubjectError(f"There is no payment {wish.id}.")
    pending = Refund.objects.using("default").filter(payment=payment, status=RefundStatus.PENDING)
    # A refund has a saga of its own, under its own id.
    if not signal(business_keys=[payment.order_id, *pending.values_list("pk", flat=True)]):
        raise NobodyWaitsError(
            "Its saga is parked, and asks nobody: try it again on the page of sagas."
            if payment.in_doubt_since
            else "No saga of it waits: no answer is owed."
        )
    return "is asked about now"


def _resolving(row: ReconciliationException) -> Foreseen:
    title = f"{row.kind.replace('_', ' ')} {row.reference} at {row.gateway}"
    refusal = "It is resolved already." if row.resolved_at else ""
    return Foreseen(str(row.pk), title, "It is closed, and opens again when either side changes.", refusal)


def _resolve(wish: Wish) -> str:
    resolve_exception(uuid_of(wish), operator=wish.by, note=wish.reason, now=wish.now)
    return "is resolved"


ACTS = (
    Act(
        "order-cancel",
        "Cancel the order",
        "A placement that has not taken the money turns round; one that has is finished and given back. "
        "The customer's shop is told. A cancelled order cannot be revived: it is placed anew.",
        foreseeing(lambda: Order.objects.using("default"), _cancelling),
        _cancel,
        kept=Kept.TOGETHER,
        is_dangerous=True,
    ),
    Act(
        "payment-refund",
        "Give money back",
        "A refund begins at once and goes on by itself until the gateway has it, once; this form sent twice "
        "makes one. It cannot be taken back.",
        foreseeing(lambda: Payment.objects.using("default").prefetch_related("disputes"), _refunding),
        _refund,
        form=AmountForm,
        kept=Kept.TOGETHER,
        is_dangerous=True,
    ),
    Act(
        "payment-ask",
        "Ask the gateway now",
        "A look-up by the operation's key: it changes nothing at the gateway.",
        foreseeing(lambda: Payment.objects.using("default"), _asking),
        _ask,
        kept=Kept.TOGETHER,
    ),
    Act(
        "exception-resolve",
        "Resolve the exception",
        "Your reason is the note that closes it. It moves no money.",
        foreseeing(lambda: ReconciliationException.objects.using("default"), _resolving),
        _resolve,
        kept=Kept.TOGETHER,
    ),
)
