"""What Stripe's objects and errors mean for a request of ours. Pure; the calls are in `stripe.py`.

The danger: believing an answer because it says 200. An object counts only if it is the one that we
asked about, for our amount; whatever is unknown here is in doubt, never a "no" and never a "yes".
"""

from collections.abc import Mapping
from typing import Any

import stripe

from payments.gateways.base import (
    Absent,
    ActionRequired,
    Answer,
    Authorize,
    Capture,
    Declined,
    InDoubt,
    LookupAnswer,
    NotSent,
    Refund,
    Request,
    Succeeded,
    Throttled,
    Void,
)
from payments.gateways.errors import KeyReusedError
from payments.gateways.http import NotReachedError

# A gateway's text goes into rows and logs.
TEXT_CHARS_MAX = 500
# What the column of a decline code holds; Stripe's longest has half of it.
CODE_CHARS_MAX = 64
# A wait longer than this is a mistake of theirs: we would rather ask once too often.
RETRY_AFTER_S_MAX = 3600

_UNAUTHORIZED_STATUSES = ("requires_payment_method", "requires_confirmation", "requires_action")

Object = Mapping[str, Any]


def answer_of(request: Request, body: object) -> Answer:
    """Judge the object of a 2xx answer to `request`."""
    answer = judge(request, body)
    if isinstance(answer, Absent):
        return InDoubt("the gateway said yes and shows no effect", is_stored=True)
    return answer


def judge(request: Request, body: object) -> LookupAnswer:
    """Judge what Stripe's object (an intent, or a refund for a refund) says of `request`.

    Absent: the object is the right one and was not touched by the request.
    """
    if not isinstance(body, Mapping):
        return InDoubt("the answer is not an object")
    match request:
        case Authorize():
            return _judge_authorize(request, body)
        case Capture():
            return _judge_capture(request, body)
        case Void():
            return _judge_void(request, body)
        case Refund():
            return _judge_refund(request, body)


def answer_of_error(request: Request, error: stripe.StripeError) -> Answer:
    """Judge an error that came instead of an answer to `request`. Raises KeyReusedError."""
    match error:
        case NotReachedError():
            return NotSent(_short(error))
        case stripe.APIConnectionError():
            return InDoubt(_short(error))
        case stripe.RateLimitError():
            return Throttled(_retry_after_s(error))
        case stripe.AuthenticationError() | stripe.PermissionError():
            return _refused_credentials(error)
        case stripe.IdempotencyError():
            raise KeyReusedError(f"key {request.key} was sent before with other parameters") from error
        case stripe.CardError():
            return _declined(error)
        case stripe.InvalidRequestError(code="payment_intent_unexpected_state"):
            return _answer_of_unexpected_state(request, error)
        case stripe.InvalidRequestError():
            return _declined(error)
        case _:
            return _answer_of_status(error)


def answer_of_failed_lookup(request: Request, error: stripe.StripeError) -> LookupAnswer:
    """Judge an error that came instead of an answer to a look-up of `request`: never a "no"."""
    match error:
        case NotReachedError():
            return NotSent(_short(error))
        case stripe.RateLimitError():
            return Throttled(_retry_after_s(error))
        case stripe.AuthenticationError() | stripe.PermissionError():
            return _refused_credentials(error)
        case stripe.InvalidRequestError(code="resource_missing") if not isinstance(request, Authorize):
            return Absent()  # of an authorization only an empty search may say so
        case stripe.APIConnectionError():
            return InDoubt(_short(error))
        case _:
            return _answer_of_status(error)


def _judge_authorize(request: Authorize, intent: Object) -> LookupAnswer:
    metadata = intent.get("metadata")
    is_ours = (
        intent.get("object") == "payment_intent"
        and intent.get("currency") == request.currency.lower()
        and isinstance(metadata, Mapping)
        and metadata.get("operation_key") == request.key
    )
    if not is_ours or not _is_amount(intent, "amount", request.amount_minor) or not _id_of(intent):
        return InDoubt("the answer is about another payment", is_stored=True)
    match intent.get("status"):
        case "requires_capture" | "succeeded":
            return Succeeded(reference=_id_of(intent), amount_minor=request.amount_minor)
        case "requires_action":
            return _action_of(intent)
        case "canceled":
            return Declined("canceled", "The authorization was cancelled.", _id_of(intent))
        case "requires_payment_method" if isinstance(intent.get("last_payment_error"), Mapping):
            code, message = _refusal_of(intent["last_payment_error"])
            return Declined(code, message, _id_of(intent))
        case status:
            return _unclear(status)


def _judge_capture(request: Capture, intent: Object) -> LookupAnswer:
    if not _is_intent(intent, request.reference):
        return InDoubt("the answer is about another payment", is_stored=True)
    match intent.get("status"):
        case "succeeded" if _is_amount(intent, "amount_received", request.amount_minor):
            return Succeeded(request.reference, request.amount_minor)
        case "succeeded":
            return InDoubt("another amount was captured", is_stored=True)
        case "requires_capture":
            return Absent()
        case "canceled":
            return Declined("authorization_gone", "The authorization has ended.", request.reference)
        case status if status in _UNAUTHORIZED_STATUSES:
            return Declined("not_authorized", "There is no authorization to capture.", request.reference)
        case status:
            return _unclear(status)


def _judge_void(request: Void, intent: Object) -> LookupAnswer:
    amount_minor = intent.get("amount")
    if not _is_intent(intent, request.reference) or type(amount_minor) is not int:
        return InDoubt("the answer is about another payment", is_stored=True)
    match intent.get("status"):
        case "canceled":
            return Succeeded(request.reference, amount_minor)
        case "succeeded":
            return Declined("already_captured", "The money was taken already.", request.reference)
        case status if status == "requires_capture" or status in _UNAUTHORIZED_STATUSES:
            return Absent()
        case status:
            return _unclear(status)


def _judge_refund(request: Refund, refund: Object) -> LookupAnswer:
    is_ours = (
        refund.get("object") == "refund"
        and refund.get("payment_intent") == request.reference
        and is_refund_of(request, refund)
    )
    if not is_ours or not _is_amount(refund, "amount", request.amount_minor) or not _id_of(refund):
        return InDoubt("the answer is about another refund", is_stored=True)
    match refund.get("status"):
        case "succeeded":
            return Succeeded(_id_of(refund), request.amount_minor)
        case "failed" | "canceled" as status:
            code = _text(refund, "failure_reason") or status
            return Declined(code, "The gateway did not give the money back.", _id_of(refund))
        case status:
            return _unclear(status)


def is_refund_of(request: Refund, refund: object) -> bool:
    """Tell whether `refund` was asked for under the key of `request`."""
    metadata = refund.get("metadata") if isinstance(refund, Mapping) else None
    return isinstance(metadata, Mapping) and metadata.get("operation_key") == request.key


def _action_of(intent: Object) -> ActionRequired:
    """Say where the payer has to go; the empty address means Stripe's own JavaScript."""
    action = intent.get("next_action")
    redirect = action.get("redirect_to_url") if isinstance(action, Mapping) else None
    return ActionRequired(_id_of(intent), _text(redirect, "url") if isinstance(redirect, Mapping) else "")


def _answer_of_unexpected_state(request: Request, error: stripe.StripeError) -> Answer:
    """The intent was not in the state for this step: perhaps because the step was done before."""
    intent = _error_body(error).get("payment_intent")
    if isinstance(request, Capture | Void) and isinstance(intent, Mapping):
        return answer_of(request, intent)
    if isinstance(request, Refund):  # nothing was captured, so there is nothing to give back
        return _declined(error)
    return InDoubt("the gateway refuses this step and does not show the payment", is_stored=True)


def _answer_of_status(error: stripe.StripeError) -> InDoubt | Throttled:
    """Judge an answer whose body is not the documented one; the status is all there is."""
    if error.http_status == 429:
        return Throttled(_retry_after_s(error))
    # Not "Stripe-Should-Retry: false", which comes with the first answer too: what that request did may
    # not show in their search yet.
    is_stored = _headers_of(error).get("Idempotent-Replayed") == "true"
    return InDoubt(f"HTTP {error.http_status}: {_text(_error_body(error), 'message')}", is_stored=is_stored)


def _refused_credentials(error: stripe.StripeError) -> NotSent:
    # Nothing was executed, and nothing will be until an operator has mended the account. Their
    # message may quote the secret key, so it is not repeated.
    return NotSent(f"the gateway refused our credentials (HTTP {error.http_status})")


def _declined(error: stripe.StripeError) -> Declined:
    body = _error_body(error)
    code, message = _refusal_of(body)
    intent = body.get("payment_intent")
    return Declined(code, message, _id_of(intent) if isinstance(intent, Mapping) else "")


def _refusal_of(body: Object) -> tuple[str, str]:
    code = _text(body, "decline_code") or _text(body, "code") or _text(body, "type") or "declined"
    return code[:CODE_CHARS_MAX], _text(body, "message")


def _unclear(status: object) -> InDoubt:
    return InDoubt(f"the gateway's status is {str(status)[:TEXT_CHARS_MAX]!r}", is_stored=True)


def _is_intent(intent: Object, reference: str) -> bool:
    return intent.get("object") == "payment_intent" and intent.get("id") == reference


def _is_amount(body: Object, field: str, amount_minor: int) -> bool:
    value = body.get(field)
    return type(value) is int and value == amount_minor  # neither 12.0 nor True is an amount


def _id_of(body: Object) -> str:
    return _text(body, "id")


def _text(body: Object, field: str) -> str:
    """Return a text of theirs as our columns can hold it; "" when there is none."""
    value = body.get(field)
    if not isinstance(value, str):
        return ""
    return value[:TEXT_CHARS_MAX].replace("\0", "").encode(errors="replace").decode()


def _error_body(error: stripe.StripeError) -> Object:
    body = error.json_body.get("error") if isinstance(error.json_body, dict) else None
    return body if isinstance(body, Mapping) else {}


def _headers_of(error: stripe.StripeError) -> Mapping[str, str]:
    # The SDK hands over the headers where the body belongs if the body was no JSON.
    return error.headers or (error.json_body if hasattr(error.json_body, "get_content_type") else {})  # type: ignore[return-value]


def _retry_after_s(error: stripe.StripeError) -> float | None:
    text = _headers_of(error).get("Retry-After", "")
    return float(min(int(text), RETRY_AFTER_S_MAX)) if text.isascii() and text.isdigit() else None


def _short(error: stripe.StripeError) -> str:
    return str(error.user_message)[:TEXT_CHARS_MAX]
