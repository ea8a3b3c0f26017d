"""Disputes: the payer's bank takes the money back at once, and perhaps returns it."""

import json
from dataclasses import astuple

from . import balance, parameters
from .book import Book
from .calls import Answer, Call, Cause, record_event
from .dispute_shapes import dispute_shape
from .errors import ApiError, invalid, missing_resource
from .intents import load_intent
from .methods import find_method
from .records import BalanceTransaction, Charge, Dispute, DisputeStatus, new_id
from .shapes import dump

REASONS = (
    "bank_cannot_process",
    "check_returned",
    "credit_not_processed",
    "customer_initiated",
    "debit_not_authorized",
    "duplicate",
    "fraudulent",
    "general",
    "incorrect_account_details",
    "insufficient_funds",
    "noncompliant",
    "product_not_received",
    "product_unacceptable",
    "subscription_canceled",
    "unrecognized",
)


def open_by_itself(book: Book, cause: Cause, charge_id: str) -> None:
    """Open the dispute that the charge's method brings with it, if there is still money to dispute."""
    charge = book.charge(charge_id)
    if charge is None or charge.disputed:
        return
    amount = charge.amount_captured - charge.amount_refunded
    reason = find_method(charge.payment_method).dispute
    if amount > 0 and reason is not None:
        _open(book, cause, charge, amount=amount, reason=reason)


def open_now(book: Book, call: Call) -> Answer:
    """`POST /_dispute`; without an amount, about all that was not given back. Not an endpoint of Stripe."""
    parameters.refuse_unknown(call.form, ("amount", "payment_intent", "reason"))
    intent = load_intent(book, parameters.required_text(call.form, "payment_intent"))
    reason = parameters.choice(call.form, "reason", REASONS) or "fraudulent"
    amount = parameters.amount(call.form, "amount")
    charge = book.charge(intent.latest_charge or "")
    if charge is None or charge.amount_captured == 0:
        raise _impossible("This PaymentIntent has taken no money that could be disputed.")
    if charge.disputed:
        raise _impossible(f"The charge {charge.id} has a dispute already.")
    if amount is None:
        amount = charge.amount_captured - charge.amount_refunded or charge.amount_captured
    if amount > charge.amount_captured:
        raise invalid(
            f"The amount ({amount}) is greater than what was captured ({charge.amount_captured}).",
            param="amount",
            code="amount_too_large",
        )
    return _answer(_open(book, call, charge, amount=amount, reason=reason))


def close_now(book: Book, call: Call) -> Answer:
    """`POST /_dispute/{id}/close`: the bank has decided. Not an endpoint of Stripe."""
    outcome = parameters.choice(call.form, "outcome", (DisputeStatus.WON, DisputeStatus.LOST))
    if outcome is None:
        raise invalid("Missing required param: outcome.", param="outcome", code="parameter_missing")
    dispute = book.find(Dispute, call.subject)
    if dispute is None:
        raise missing_resource(kind="dispute", id=call.subject)
    if dispute.status != DisputeStatus.NEEDS_RESPONSE:
        raise _impossible(f"This dispute is already closed: its status is {dispute.status}.")
    dispute.status = outcome
    if outcome == DisputeStatus.WON:
        _add_movement(dispute, balance.reinstate(book, call, dispute))
    book.change_dispute(dispute)
    record_event(book, call, dispute, type="charge.dispute.closed")
    if outcome == DisputeStatus.WON:
        record_event(book, call, dispute, type="charge.dispute.funds_reinstated")
    return _answer(dispute)


def _open(book: Book, cause: Cause, charge: Charge, *, amount: int, reason: str) -> Dispute:
    dispute = Dispute(
        id=new_id("dp"),
        intent_id=charge.intent_id,
        charge_id=charge.id,
        order_id=charge.order_id,
        created=cause.now,
        amount=amount,
        currency=charge.currency,
        reason=reason,
        status=DisputeStatus.NEEDS_RESPONSE,
        payment_method=charge.payment_method,
    )
    _add_movement(dispute, balance.withdraw(book, cause, dispute))
    book.add(dispute)
    charge.disputed = True
    book.change_charge(charge)
    record_event(book, cause, dispute, type="charge.dispute.created")
    record_event(book, cause, dispute, type="charge.dispute.funds_withdrawn")
    return dispute


def _add_movement(dispute: Dispute, movement: BalanceTransaction) -> None:
    dispute.movements = dump([*json.loads(dispute.movements), astuple(movement)])


def _answer(dispute: Dispute) -> Answer:
    return Answer(200, dump(dispute_shape(dispute)), order_id=dispute.order_id, intent_id=dispute.intent_id)


def _impossible(message: str) -> ApiError:
    return ApiError(status=400, message=message, kept=True)
