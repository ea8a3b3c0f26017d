"""Refunds: never more than was captured, whoever asks at the same moment."""

from . import balance, parameters
from .book import Book
from .calls import Answer, Call, Cause, record_event
from .charge_shapes import refund_shape
from .errors import ApiError, invalid, missing_resource
from .expansion import expand, expanded_names
from .intents import load_intent
from .methods import RefundEnd, find_method
from .records import Charge, Dispute, DisputeStatus, Refund, new_id
from .shapes import dump
from .timers import TimerKind, set_timer

_ENDS = {RefundEnd.PENDS: TimerKind.CLEAR_REFUND, RefundEnd.FAILS: TimerKind.FAIL_REFUND}
_FAILURE = "expired_or_canceled_card"
_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(book: Book, call: Call) -> Answer:
    """`POST /v1/refunds`; without an amount, all that is left."""
    form = call.form
    parameters.refuse_unknown(form, parameters.REFUND)
    names = expanded_names(form, kind="refund")
    reason = parameters.choice(form, "reason", _REASONS)
    metadata = parameters.metadata(form)
    amount = parameters.amount(form, "amount")
    charge = _refundable_charge(book, call)
    parameters.refuse_uneven(amount, currency=charge.currency, param="amount")
    amount = _amount_to_refund(charge, amount)
    charge.amount_refunded += amount
    end = find_method(charge.payment_method).refund
    refund = Refund(
        id=new_id("re"),
        intent_id=charge.intent_id,
        charge_id=charge.id,
        order_id=charge.order_id,
        created=call.now,
        amount=amount,
        currency=charge.currency,
        metadata=dump({key: value for key, value in metadata.items() if value}),
        reason=reason,
        status="pending" if end == RefundEnd.PENDS else "succeeded",
        payment_method=charge.payment_method,
    )
    refund.balance_transaction = balance.give_back(book, call, refund).id
    book.add(refund)
    if end in _ENDS:
        due_at = call.received_at + call.settings.refund_clears_after_s
        set_timer(book, subject=refund.id, kind=_ENDS[end], due_at=due_at)
    book.change_charge(charge)
    record_event(book, call, refund, type="refund.created")
    record_event(book, call, charge, type="charge.refunded")
    shape = expand(book, refund_shape(refund), names)
    return Answer(200, dump(shape), order_id=refund.order_id, intent_id=refund.intent_id)


def clear(book: Book, cause: Cause, refund_id: str) -> None:
    """The money of a pending refund has come to the payer."""
    refund = book.refund(refund_id)
    if refund is not None and refund.status == "pending":
        refund.status = "succeeded"
        book.change_refund(refund)
        record_event(book, cause, refund, type="refund.updated")


def fail(book: Book, cause: Cause, refund_id: str) -> None:
    """The payer's bank has sent the money of a refund back."""
    refund = book.refund(refund_id)
    charge = None if refund is None else book.charge(refund.charge_id)
    if refund is None or charge is None or refund.status == "failed":
        return
    refund.status = "failed"
    refund.failure_reason = _FAILURE
    refund.failure_balance_transaction = balance.take_back(book, cause, refund).id
    charge.amount_refunded -= refund.amount
    book.change_refund(refund)
    book.change_charge(charge)
    record_event(book, cause, refund, type="refund.failed")


def _refundable_charge(book: Book, call: Call) -> Charge:
    intent_id = parameters.text(call.form, "payment_intent")
    charge_id = parameters.text(call.form, "charge")
    if intent_id is None and charge_id is None:
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    if intent_id is not None:
        charge_id = load_intent(book, intent_id).latest_charge
    charge = book.charge(charge_id or "")
    if charge is None and intent_id is None:
        raise missing_resource(kind="charge", id=charge_id or "", param="charge")
    if charge is None or charge.status != "succeeded" or charge.amount_captured == 0:
        subject = f"This PaymentIntent ({intent_id})" if intent_id else f"The charge {charge_id}"
        raise ApiError(
            status=400,
            code="charge_not_refundable",
            message=f"{subject} does not have a successful charge to refund.",
            kept=True,
        )
    _refuse_disputed(book, charge)
    return charge


def _refuse_disputed(book: Book, charge: Charge) -> None:
    """Raise while the payer's bank holds the money already, or for good."""
    if not charge.disputed:
        return
    disputes = book.select(Dispute, "charge_id = ?", (charge.id,), limit=1)
    if disputes and disputes[0].status != DisputeStatus.WON:
        raise ApiError(
            status=400,
            code="charge_disputed",
            message=f"Charge {charge.id} has been charged back; cannot issue a refund.",
            kept=True,
        )


def _amount_to_refund(charge: Charge, amount: int | None) -> int:
    rest = charge.amount_captured - charge.amount_refunded
    if rest == 0:
        raise ApiError(
            status=400,
            code="charge_already_refunded",
            message=f"Charge {charge.id} has already been refunded.",
            kept=True,
        )
    if amount is None:
        return rest
    if amount > rest:
        raise ApiError(
            status=400,
            code="amount_too_large",
            param="amount",
            message=f"Refund amount ({amount}) is greater than unrefunded amount on charge ({rest})",
            kept=True,
        )
    return amount
