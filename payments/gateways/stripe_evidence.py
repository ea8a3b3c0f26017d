"""What people may see of a gateway's answer: ids, states, codes and amounts. Pure.

The danger: an answer also holds the payer's name and address, the card's fingerprint and secrets that
let others pay or act. So nothing goes by but the fields named here, and those only in their shape.
"""

import re
from collections.abc import Mapping

import stripe

from payments.gateways.base import Evidence
from payments.gateways.stripe_fields import Object, part, text

# What an operator reads in a row of a table; Stripe's own messages have about half of it.
MESSAGE_CHARS_MAX = 200

# Ids, states and codes; not a key, nor a client's secret, nor what could be a card number.
_WORD = re.compile(r"(?!(?:sk|rk|pk|whsec)_|[\d.\-_]{12,}$|.*_secret)[A-Za-z0-9_.\-]{1,100}", re.ASCII)
_PRIVATE = re.compile(
    r"(?:sk|rk|pk|whsec)_\S+"  # keys
    r"|\S*_secret\S*"  # what lets a browser act on a payment
    r"|[^\s@]+@[^\s@]+"  # addresses of people
    r"|\d(?:[ \-]?\d){11,18}"  # card numbers
)
_WORDS = ("id", "object", "status", "currency", "payment_intent", "failure_reason", "cancellation_reason")
_NUMBERS = ("amount", "amount_received")


def evidence_of(body: object, *, http_status: int, headers: Mapping[str, str]) -> Evidence:
    """Return the evidence of an answer, of whatever shape."""
    evidence = _heard(http_status, headers)
    if isinstance(body, Mapping):
        _add_object(evidence, body)
        if body.get("last_payment_error") is not None:
            _add_error(evidence, part(body, "last_payment_error"))
    return evidence


def evidence_of_error(error: stripe.StripeError) -> Evidence | None:
    """Return the evidence of an answer that was an error; None when there was no answer."""
    if error.http_status is None:
        return None
    evidence = _heard(error.http_status, headers_of(error))
    body = error_body(error)
    _add_object(evidence, part(body, "payment_intent"))
    if error.http_status not in (401, 403):  # a refusal of our credentials may quote them
        _add_error(evidence, body)
    return evidence


def error_body(error: stripe.StripeError) -> Object:
    """Return the `error` object of an error's body, empty when it is of another shape."""
    return part(error.json_body, "error") if isinstance(error.json_body, dict) else {}


def headers_of(error: stripe.StripeError) -> Mapping[str, str]:
    """Return the headers that came with an error, which are case-insensitive."""
    # The SDK hands over the headers where the body belongs if the body was no JSON.
    return error.headers or (error.json_body if hasattr(error.json_body, "get_content_type") else {})  # type: ignore[return-value]


def _heard(http_status: int, headers: Mapping[str, str]) -> dict[str, object]:
    evidence: dict[str, object] = {"http_status": http_status}
    request_id = headers.get("Request-Id")
    if request_id and _WORD.fullmatch(request_id):
        evidence["request_id"] = request_id
    if headers.get("Idempotent-Replayed") == "true":
        evidence["replayed"] = True
    return evidence


def _add_object(evidence: dict[str, object], body: Object) -> None:
    for field in _WORDS:
        value = body.get(field)
        if isinstance(value, str) and _WORD.fullmatch(value):
            evidence[field] = value
    for field in _NUMBERS:
        value = body.get(field)
        if type(value) is int:
            evidence[field] = value


def _add_error(evidence: dict[str, object], error: Object) -> None:
    for field in ("type", "code", "decline_code"):
        value = error.get(field)
        if isinstance(value, str) and _WORD.fullmatch(value):
            evidence[field if field == "decline_code" else f"error_{field}"] = value
    if message := text(error, "message"):
        evidence["error_message"] = _PRIVATE.sub("…", message)[:MESSAGE_CHARS_MAX]
