"""PaymentIntents: create, confirm, capture, cancel, and the payer's authentication."""

import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from . import confirmation, parameters
from .book import Book
from .calls import Answer, Call, Cause, record_event
from .errors import invalid, missing_resource, unexpected_state
from .expansion import expand, expanded_names
from .method_types import refuse_other_type, types_of
from .methods import find_method
from .records import CANCELABLE, CONFIRMABLE, Charge, Intent, Status, new_id
from .shapes import dump, intent_shape
from .timers import drop_timer

_DETAILS = (
    "description",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
_CANCELLATION_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")


def create(book: Book, call: Call) -> Answer:
    """`POST /v1/payment_intents`."""
    form = call.form
    parameters.refuse_unknown(form, parameters.CREATE)
    names = expanded_names(form, kind="payment_intent")
    intent = _new_intent(call)
    method = parameters.text(form, "payment_method")
    if method is not None:
        refuse_other_type(find_method(method), json.loads(intent.details))
        intent.payment_method = method
        intent.status = Status.REQUIRES_CONFIRMATION
    if not parameters.boolean(form, "confirm"):
        book.add_intent(intent)
        record_event(book, call, intent, type="payment_intent.created")
        return answer_with(book, intent, names)
    if method is None:
        raise _method_missing(intent)
    record_event(book, call, intent, type="payment_intent.created")
    return _confirm(book, call, intent, method=method, names=names, save=book.add_intent)


def confirm(book: Book, call: Call) -> Answer:
    """`POST /v1/payment_intents/{id}/confirm`."""
    parameters.refuse_unknown(call.form, parameters.CONFIRM)
    names = expanded_names(call.form, kind="payment_intent")
    intent = load_intent(book, call.subject)
    method = parameters.text(call.form, "payment_method") or intent.payment_method
    if intent.status not in CONFIRMABLE:
        raise unexpected_state(
            f"You cannot confirm this PaymentIntent because it has already {_ended(intent)}.",
            payment_intent=intent_shape(intent),
        )
    if method is None:
        raise _method_missing(intent)
    return _confirm(book, call, intent, method=method, names=names, save=book.change_intent)


def capture(book: Book, call: Call) -> Answer:
    """`POST /v1/payment_intents/{id}/capture`: once, and never more than was authorized."""
    parameters.refuse_unknown(call.form, parameters.CAPTURE)
    names = expanded_names(call.form, kind="payment_intent")
    metadata = parameters.metadata(call.form)
    amount = parameters.amount(call.form, "amount_to_capture")
    intent = load_intent(book, call.subject)
    if intent.status != Status.REQUIRES_CAPTURE:
        raise _not_capturable(intent)
    parameters.refuse_uneven(amount, currency=intent.currency, param="amount_to_capture")
    if amount is None:
        amount = intent.amount_capturable
    if amount > intent.amount_capturable:
        raise invalid(
            f"The amount_to_capture ({amount}) is greater than the amount you can capture"
            f" ({intent.amount_capturable}) for this PaymentIntent.",
            param="amount_to_capture",
            code="amount_too_large",
        )
    charge = _latest_charge(book, intent)
    confirmation.take(book, call, intent, charge, amount=amount)
    if metadata:
        _merge_metadata(intent, metadata)
        book.change_metadata(intent)
    book.change_charge(charge)
    book.change_intent(intent)
    record_event(book, call, charge, type="charge.captured")
    confirmation.announce(book, call, intent)
    return answer_with(book, intent, names)


def cancel(book: Book, call: Call) -> Answer:
    """`POST /v1/payment_intents/{id}/cancel`: lets go of the authorization, if there is one."""
    parameters.refuse_unknown(call.form, parameters.CANCEL)
    names = expanded_names(call.form, kind="payment_intent")
    reason = parameters.choice(call.form, "cancellation_reason", _CANCELLATION_REASONS)
    intent = load_intent(book, call.subject)
    if intent.status not in CANCELABLE:
        raise unexpected_state(
            f"You cannot cancel this PaymentIntent because it has a status of {intent.status}. Only a"
            " PaymentIntent with one of the following statuses may be canceled: requires_payment_method,"
            " requires_capture, requires_confirmation, requires_action.",
            payment_intent=intent_shape(intent),
        )
    let_go(book, call, intent, reason=reason)
    confirmation.announce(book, call, intent)
    return answer_with(book, intent, names)


def authenticate(book: Book, call: Call) -> Answer:
    """`POST /_authenticate/{id}`: the payer's answer to 3-D Secure. Not an endpoint of Stripe."""
    outcome = parameters.choice(call.form, "outcome", ("succeed", "fail"))
    if outcome is None:
        raise invalid("Missing required param: outcome.", param="outcome", code="parameter_missing")
    intent = load_intent(book, call.subject)
    method = find_method(intent.payment_method) if intent.payment_method is not None else None
    if intent.status != Status.REQUIRES_ACTION or method is None or not method.authentication:
        raise unexpected_state(
            f"This PaymentIntent does not wait for its payer: its status is {intent.status}.",
            payment_intent=intent_shape(intent),
        )
    if outcome == "fail":
        failed = confirmation.AUTHENTICATION_FAILED
        confirmation.refuse(book, call, intent, decline=failed, charged=False)
    else:
        confirmation.authorize(book, call, intent, decline=method.decline)
    book.change_intent(intent)
    confirmation.announce(book, call, intent)
    return answer_with(book, intent)


def let_go(book: Book, cause: Cause, intent: Intent, *, reason: str | None) -> None:
    """Cancel `intent`, with its authorization if it holds one. The caller announces it."""
    if intent.status == Status.REQUIRES_CAPTURE:
        charge = _latest_charge(book, intent)
        charge.released_at = cause.now
        book.change_charge(charge)
    drop_timer(book, intent.id)
    intent.status = Status.CANCELED
    intent.amount_capturable = 0
    intent.next_action = None
    intent.canceled_at = cause.now
    intent.cancellation_reason = reason
    book.change_intent(intent)


def load_intent(book: Book, id: str) -> Intent:
    """Return the intent, or raise Stripe's 404."""
    intent = book.intent(id)
    if intent is None:
        raise missing_resource(kind="payment_intent", id=id, param="intent")
    return intent


def _new_intent(call: Call) -> Intent:
    form = call.form
    amount = parameters.amount(form, "amount")
    if amount is None:
        raise invalid("Missing required param: amount.", param="amount", code="parameter_missing")
    metadata = {key: value for key, value in parameters.metadata(form).items() if value}
    capture_method = parameters.choice(form, "capture_method", ("automatic", "automatic_async", "manual"))
    currency = parameters.currency(form)
    parameters.refuse_uneven(amount, currency=currency, param="amount")
    types = types_of(form, currency=currency, capture_method=capture_method)
    id = new_id("pi")
    return Intent(
        id=id,
        created=call.now,
        amount=amount,
        currency=currency,
        capture_method=capture_method or "automatic_async",
        client_secret=f"{id}_secret_{secrets.token_hex(12)}",
        order_id=metadata.get("order_id"),
        customer=parameters.text(form, "customer"),
        metadata=dump(metadata),
        details=dump(_details(form, types)),
        status=Status.REQUIRES_PAYMENT_METHOD,
        payment_method=None,
    )


def _details(form: dict[str, Any], types: list[str]) -> dict[str, Any]:
    details: dict[str, Any] = {
        name: value for name in _DETAILS if (value := parameters.text(form, name)) is not None
    }
    if types != ["card"]:
        details["payment_method_types"] = types
    usage = parameters.choice(form, "setup_future_usage", ("off_session", "on_session"))
    if usage is not None:
        details["setup_future_usage"] = usage
    if parameters.choice(form, "confirmation_method", ("automatic", "manual")) == "manual":
        details["confirmation_method"] = "manual"
    if isinstance(form.get("shipping"), dict):
        details["shipping"] = form["shipping"]
    automatic = form.get("automatic_payment_methods")
    if isinstance(automatic, dict):
        details["automatic_payment_methods"] = {
            "allow_redirects": automatic.get("allow_redirects", "always"),
            "enabled": automatic.get("enabled") == "true",
        }
    return details


def _confirm(
    book: Book,
    call: Call,
    intent: Intent,
    *,
    method: str,
    names: list[str],
    save: Callable[[Intent], None],
) -> Answer:
    refused = confirmation.confirm(book, call, intent, method=method)
    save(intent)
    confirmation.announce(book, call, intent)
    return refused or answer_with(book, intent, names)


def answer_with(book: Book, intent: Intent, names: Sequence[str] = ()) -> Answer:
    """Return the answer that shows `intent`."""
    shape = expand(book, intent_shape(intent), names)
    return Answer(200, dump(shape), order_id=intent.order_id, intent_id=intent.id)


def _latest_charge(book: Book, intent: Intent) -> Charge:
    charge = book.charge(intent.latest_charge or "")
    assert charge is not None, f"{intent.id} is authorized and has no charge"  # noqa: S101
    return charge


def _merge_metadata(intent: Intent, changes: dict[str, str]) -> None:
    merged = {**json.loads(intent.metadata), **changes}
    intent.metadata = dump({key: value for key, value in merged.items() if value})


def _ended(intent: Intent) -> str:
    if intent.status == Status.CANCELED:
        return "been canceled"
    if intent.status == Status.PROCESSING:
        return "been paid and is processing"
    return "been authorized" if intent.status == Status.REQUIRES_CAPTURE else "succeeded"


def _not_capturable(intent: Intent) -> Exception:
    if intent.status == Status.SUCCEEDED:
        why = "it has already been captured."
    else:
        why = (
            f"it has a status of {intent.status}. Only a PaymentIntent with one of the following statuses"
            " may be captured: requires_capture."
        )
    return unexpected_state(
        f"This PaymentIntent could not be captured because {why}", payment_intent=intent_shape(intent)
    )


def _method_missing(intent: Intent) -> Exception:
    return invalid(
        f"You cannot confirm this PaymentIntent ({intent.id}) because it's missing a payment method. You can"
        " either update the PaymentIntent with a payment method and then confirm it again, or confirm it"
        " again directly with a payment method.",
        code="payment_intent_unexpected_state",
    )
