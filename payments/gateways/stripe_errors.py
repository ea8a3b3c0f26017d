"""What Stripe's errors mean for a request of ours, and for a question. Pure; the calls are in `stripe.py`."""

from collections.abc import Mapping

import stripe

from payments.gateways.base import (
    Absent,
    Answer,
    Authorize,
    Capture,
    Declined,
    InDoubt,
    LookupAnswer,
    NotSent,
    Refund,
    Request,
    Throttled,
    Void,
)
from payments.gateways.errors import KeyReusedError
from payments.gateways.http import HeldBackError, NotReachedError
from payments.gateways.retry_after import retry_after_s
from payments.gateways.stripe_answers import answer_of, refusal_of
from payments.gateways.stripe_evidence import error_body, headers_of
from payments.gateways.stripe_fields import TEXT_CHARS_MAX, UnusableError, id_of, text
from resilience import clock

Unanswered = NotSent | Throttled | InDoubt


def answer_of_error(request: Request, error: stripe.StripeError) -> Answer:
    """Judge an error that came instead of an answer to `request`. Raises KeyReusedError."""
    match error:
        case stripe.IdempotencyError():
            raise KeyReusedError(f"key {request.key} was sent before with other parameters") from error
        case stripe.CardError():
            return _declined(request, error)
        case stripe.InvalidRequestError(code="payment_intent_unexpected_state"):
            return _answer_of_unexpected_state(request, error)
        case stripe.InvalidRequestError():
            return _declined(request, error)
        case _:
            return unanswered(error)


def answer_of_failed_lookup(request: Request, error: stripe.StripeError) -> LookupAnswer:
    """Judge an error that came instead of an answer to a look-up of `request`: never a "no"."""
    # Of an authorization only an empty search may say that it is not there.
    if is_unknown(error) and not isinstance(request, Authorize):
        return Absent()
    return unanswered(error)


def is_unknown(error: stripe.StripeError) -> bool:
    """Tell whether the gateway says that it has no such object."""
    return isinstance(error, stripe.InvalidRequestError) and error.code == "resource_missing"


def unanswered(error: stripe.StripeError) -> Unanswered:
    """Judge an error that came instead of an answer, for what can be said without knowing the request."""
    match error:
        case HeldBackError():
            return NotSent(_short(error), error.retry_after_s)
        case NotReachedError():
            return NotSent(_short(error))
        case stripe.APIConnectionError() | UnusableError():
            return InDoubt(_short(error))
        case stripe.RateLimitError():
            return Throttled(_retry_after_s(error))
        case stripe.AuthenticationError() | stripe.PermissionError():
            # Nothing was executed, and nothing will be until an operator has mended the account. Their
            # message may quote the secret key, so it is not repeated.
            return NotSent(f"the gateway refused our credentials (HTTP {error.http_status})")
        case _:
            return _answer_of_status(error)


def _answer_of_unexpected_state(request: Request, error: stripe.StripeError) -> Answer:
    """The intent was not in the state for this step: perhaps because the step was done before."""
    intent = error_body(error).get("payment_intent")
    if isinstance(request, Capture | Void) and isinstance(intent, Mapping):
        return answer_of(request, intent)
    if isinstance(request, Refund):  # nothing was captured, so there is nothing to give back
        return _declined(request, error)
    return InDoubt("the gateway refuses this step and does not show the payment", is_stored=True)


def _answer_of_status(error: stripe.StripeError) -> InDoubt | Throttled:
    """Judge an answer whose body is not the documented one; the status is all there is."""
    if error.http_status == 429:
        return Throttled(_retry_after_s(error))
    # Not "Stripe-Should-Retry: false", which comes with the first answer too: what that request did may
    # not show in their search yet.
    is_stored = headers_of(error).get("Idempotent-Replayed") == "true"
    return InDoubt(f"HTTP {error.http_status}: {text(error_body(error), 'message')}", is_stored=is_stored)


def _declined(request: Request, error: stripe.StripeError) -> Declined:
    body = error_body(error)
    code, message = refusal_of(body)
    if isinstance(request, Refund):
        # The intent that it may show is not the refund, of which there is none; two refused ones are not one.
        return Declined(code, message)
    intent = body.get("payment_intent")
    return Declined(code, message, id_of(intent) if isinstance(intent, Mapping) else "")


def _retry_after_s(error: stripe.StripeError) -> float | None:
    return retry_after_s(headers_of(error), now=clock.now())


def _short(error: stripe.StripeError) -> str:
    return str(error.user_message)[:TEXT_CHARS_MAX]
