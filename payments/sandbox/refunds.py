"""Refunds: never more than was captured, whoever asks at the same moment."""

from . import balance, parameters
from .book import Book
from .calls import Answer, Call, record_event
from .charge_shapes import refund_shape
from .errors import ApiError, invalid, missing_resource
from .expansion import expand, expanded_names
from .intents import load_intent
from .records import Charge, Refund, new_id
from .shapes import dump

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
    amount = _amount_to_refund(charge, amount)
    charge.amount_refunded += amount
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
        status="succeeded",
        payment_method=charge.payment_method,
    )
    refund.balance_transaction = balance.give_back(book, call, refund)
    book.add(refund)
    book.change_charge(charge)
    record_event(book, call, refund, type="refund.created")
    record_event(book, call, charge, type="charge.refunded")
    shape = expand(book, refund_shape(refund), names)
    return Answer(200, dump(shape), order_id=refund.order_id, intent_id=refund.intent_id)


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
    return charge


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
