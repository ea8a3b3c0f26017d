"""What happens when a payment method is tried: the money is authorized, refused, or the payer is asked."""

import json
from urllib.parse import quote

from . import balance, boletos
from .book import Book
from .calls import Answer, Call, Cause, record_event
from .method_types import refuse_other_type
from .methods import AUTHENTICATION_REQUIRED, Decline, find_method
from .parameters import boolean, text
from .records import Charge, Intent, Status, new_id
from .shapes import dump, intent_shape, payment_error
from .timers import TimerKind, drop_timer, set_timer

AUTHENTICATION_FAILED = Decline(
    "payment_intent_authentication_failure",
    "",
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new"
    " PaymentMethod to attempt to fulfill this PaymentIntent again.",
)


def confirm(book: Book, call: Call, intent: Intent, *, method: str) -> Answer | None:
    """Try `method` on `intent`, changing `intent` in place.

    Returns the 402 answer of a refusal, or None: then the caller answers with the intent.
    The caller saves the intent and announces it.
    """
    behaviour = find_method(method)
    refuse_other_type(behaviour, json.loads(intent.details))
    if intent.status == Status.REQUIRES_ACTION:
        drop_timer(book, intent.id)
    intent.payment_method = method
    if behaviour.type == "boleto":
        boletos.issue(book, call, intent, method=method)
        return None
    if behaviour.authentication:
        if boolean(call.form, "error_on_requires_action") or text(call.form, "off_session"):
            return refuse(book, call, intent, decline=AUTHENTICATION_REQUIRED)
        _ask_payer(call, intent)
        return None
    return authorize(book, call, intent, decline=behaviour.decline)


def authorize(book: Book, cause: Cause, intent: Intent, *, decline: Decline | None) -> Answer | None:
    """Ask the issuer, who says yes unless `decline` says why not."""
    if decline is not None:
        return refuse(book, cause, intent, decline=decline)
    charge = _charge(cause, intent)
    intent.latest_charge = charge.id
    intent.last_payment_error = None
    intent.next_action = None
    if intent.capture_method == "manual":
        intent.status = Status.REQUIRES_CAPTURE
        intent.amount_capturable = intent.amount
    else:
        take(book, cause, intent, charge, amount=intent.amount)
    book.add_charge(charge)
    record_event(book, cause, charge, type="charge.succeeded")
    return None


def take(book: Book, cause: Cause, intent: Intent, charge: Charge, *, amount: int) -> None:
    """Move the money: `amount` of an authorization is captured, what is left of it is let go."""
    intent.status = Status.SUCCEEDED
    intent.amount_capturable = 0
    intent.amount_received = amount
    charge.amount_captured = amount
    charge.captured_at = cause.now
    charge.balance_transaction = balance.receive(book, cause, charge).id
    if find_method(charge.payment_method).dispute is not None:
        due_at = cause.received_at + cause.settings.dispute_after_s
        set_timer(book, subject=charge.id, kind=TimerKind.OPEN_DISPUTE, due_at=due_at)


def refuse(book: Book, cause: Cause, intent: Intent, *, decline: Decline, charged: bool = True) -> Answer:
    """Write the failed attempt down and return Stripe's 402. `charged` is false if no issuer was asked."""
    method = intent.payment_method or ""
    error_type = "card_error" if charged else "invalid_request_error"
    charge_id = None
    if charged:
        charge = _charge(cause, intent, decline=decline)
        charge_id = intent.latest_charge = charge.id
        book.add_charge(charge)
        record_event(book, cause, charge, type="charge.failed")
    error = payment_error(decline, type=error_type, charge_id=charge_id, method=method, created=cause.now)
    intent.status = Status.REQUIRES_PAYMENT_METHOD
    intent.payment_method = None
    intent.next_action = None
    intent.last_payment_error = dump(error)
    shape = intent_shape(intent)
    body = dump({"error": {**error, "payment_intent": shape}})
    return Answer(402, body, order_id=intent.order_id, intent_id=intent.id)


_STATUS_EVENTS = {
    Status.REQUIRES_ACTION: "payment_intent.requires_action",
    Status.PROCESSING: "payment_intent.processing",
    Status.REQUIRES_CAPTURE: "payment_intent.amount_capturable_updated",
    Status.SUCCEEDED: "payment_intent.succeeded",
    Status.REQUIRES_PAYMENT_METHOD: "payment_intent.payment_failed",
    Status.CANCELED: "payment_intent.canceled",
}


def announce(book: Book, cause: Cause, intent: Intent) -> None:
    """Record the event of the status that `intent` has come to."""
    record_event(book, cause, intent, type=_STATUS_EVENTS[Status(intent.status)])


def _ask_payer(call: Call, intent: Intent) -> None:
    page = f"{call.base_url}/_authenticate/{intent.id}?client_secret={quote(intent.client_secret)}"
    return_url = text(call.form, "return_url")
    intent.status = Status.REQUIRES_ACTION
    intent.last_payment_error = None
    intent.next_action = dump(
        {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": page}}
    )


def _charge(cause: Cause, intent: Intent, *, decline: Decline | None = None) -> Charge:
    return Charge(
        id=new_id("ch"),
        intent_id=intent.id,
        order_id=intent.order_id,
        created=cause.now,
        amount=intent.amount,
        currency=intent.currency,
        customer=intent.customer,
        metadata=intent.metadata,
        payment_method=intent.payment_method or "",
        status="failed" if decline else "succeeded",
        failure_code=decline.code if decline else None,
        failure_message=decline.message if decline else None,
        decline_code=decline.decline_code if decline else None,
        capture_before=None if decline else cause.now + cause.settings.authorization_s,
    )
