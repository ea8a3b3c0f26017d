"""What Stripe's objects mean for a request of ours. Pure; the calls are in `stripe.py`.

The danger: believing an answer because it says 200. An object counts only if it is the one that we
asked about, for our amount; whatever is unknown here is in doubt, never a "no" and never a "yes".
"""

from collections.abc import Mapping

from payments.gateways.base import (
    Absent,
    ActionRequired,
    ActionType,
    Answer,
    Authorize,
    Capture,
    Declined,
    InDoubt,
    LookupAnswer,
    Processing,
    Refund,
    Request,
    Succeeded,
    Void,
)
from payments.gateways.stripe_amounts import UnevenAmountError, iso_units, stripe_units
from payments.gateways.stripe_fields import (
    TEXT_CHARS_MAX,
    Object,
    capture_before_of,
    id_of,
    moment,
    part,
    text,
)

# What the column of a decline code holds; Stripe's longest has half of it.
CODE_CHARS_MAX = 64

_UNAUTHORIZED_STATUSES = ("requires_payment_method", "requires_confirmation", "requires_action")


def answer_of(request: Request, body: object) -> Answer:
    """Judge the object of a 2xx answer to `request`."""
    answer = judge(request, body)
    if isinstance(answer, Absent):
        return InDoubt("the gateway said yes and shows no effect", is_stored=True)
    return answer


def judge(request: Request, body: object) -> LookupAnswer:
    """Judge what Stripe's object (an intent, or a refund for a refund) says of `request`.

    Absent: the object is the right one and was not touched by the request. Raises AmountRefusedError
    for a request that cannot have been sent.
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


def is_asked_by(key: str, body: Object) -> bool:
    """Tell whether `body` was asked for under `key`."""
    return part(body, "metadata").get("operation_key") == key


def refusal_of(body: Object) -> tuple[str, str]:
    """Return the code and the message of an error object."""
    code = text(body, "decline_code") or text(body, "code") or text(body, "type") or "declined"
    return code[:CODE_CHARS_MAX], text(body, "message")


def _judge_authorize(request: Authorize, intent: Object) -> LookupAnswer:
    units, reference = stripe_units(request.amount_minor, request.currency), id_of(intent)
    doubt = _doubt(intent, object="payment_intent", currency=request.currency.lower(), amount=units)
    if doubt is None and not is_asked_by(request.key, intent):
        doubt = _another("operation_key")
    if doubt is not None or not reference:
        return doubt or _another("id")
    match intent.get("status"):
        case "requires_capture":
            return Succeeded(reference, request.amount_minor, capture_before=capture_before_of(intent))
        case "succeeded":
            captured = Succeeded(reference, request.amount_minor, is_captured=True)
            return _doubt(intent, amount_received=units) or captured
        case "requires_action":
            return _action_of(intent)
        case "processing":
            return Processing(reference)
        case "canceled":
            return Declined("canceled", "The authorization was cancelled.", reference)
        case "requires_payment_method" if isinstance(intent.get("last_payment_error"), Mapping):
            code, message = refusal_of(intent["last_payment_error"])
            return Declined(code, message, reference)
        case status:
            return _unclear(status)


def _judge_capture(request: Capture, intent: Object) -> LookupAnswer:
    units = stripe_units(request.amount_minor, request.currency)
    if doubt := _doubt_about_intent(intent, request):
        return doubt
    match intent.get("status"):
        case "succeeded":
            return _doubt(intent, amount_received=units) or Succeeded(request.reference, request.amount_minor)
        case "requires_capture":
            return Absent()
        case "canceled":
            return Declined("authorization_gone", "The authorization has ended.", request.reference)
        case status if status in _UNAUTHORIZED_STATUSES:
            return Declined("not_authorized", "There is no authorization to capture.", request.reference)
        case status:
            return _unclear(status)


def _judge_void(request: Void, intent: Object) -> LookupAnswer:
    amount_minor = _amount_minor_of(intent, request.currency)
    if (doubt := _doubt_about_intent(intent, request)) or amount_minor is None:
        return doubt or _another("amount")
    match intent.get("status"):
        case "canceled":
            return Succeeded(request.reference, amount_minor)
        case "succeeded" if doubt := _doubt(intent, amount_received=intent["amount"]):
            # A part of it, by hand: to call it captured would book money that is not there.
            return doubt
        case "succeeded":
            return Declined("already_captured", "The money was taken already.", request.reference)
        case status if status == "requires_capture" or status in _UNAUTHORIZED_STATUSES:
            return Absent()
        case status:
            return _unclear(status)


def _judge_refund(request: Refund, refund: Object) -> LookupAnswer:
    units, reference = stripe_units(request.amount_minor, request.currency), id_of(refund)
    doubt = _doubt(
        refund,
        object="refund",
        payment_intent=request.reference,
        currency=request.currency.lower(),
        amount=units,
    )
    if doubt is None and not is_asked_by(request.key, refund):
        doubt = _another("operation_key")
    if doubt is not None or not reference:
        return doubt or _another("id")
    match refund.get("status"):
        case "succeeded":
            return Succeeded(reference, request.amount_minor)
        case "pending" | "requires_action":
            return Processing(reference)
        case "failed" | "canceled" as status:
            code = text(refund, "failure_reason") or status
            return Declined(code[:CODE_CHARS_MAX], "The gateway did not give the money back.", reference)
        case status:
            return _unclear(status)


def _action_of(intent: Object) -> ActionRequired:
    """Say what the payer has to do; the empty address means Stripe's own JavaScript."""
    action = part(intent, "next_action")
    if slip := part(action, "boleto_display_details"):
        return ActionRequired(
            id_of(intent),
            text(slip, "hosted_voucher_url"),
            type=ActionType.VOUCHER,
            until=moment(slip, "expires_at"),
        )
    return ActionRequired(id_of(intent), text(part(action, "redirect_to_url"), "url"))


def _doubt_about_intent(intent: Object, request: Capture | Void) -> InDoubt | None:
    currency = request.currency.lower()
    return _doubt(intent, object="payment_intent", id=request.reference, currency=currency)


def _doubt(body: Object, **ours: object) -> InDoubt | None:
    """Return a doubt if `body` shows, in one of these fields, anything but what is ours."""
    for field, value in ours.items():
        shown = body.get(field)
        if type(shown) is not type(value) or shown != value:  # neither 12.0 nor True is an amount
            return _another(field)
    return None


def _another(field: str) -> InDoubt:
    return InDoubt(f"the gateway shows another {field} than ours", is_stored=True)


def _amount_minor_of(intent: Object, currency: str) -> int | None:
    units = intent.get("amount")
    try:
        return iso_units(units, currency) if type(units) is int else None
    except UnevenAmountError:
        return None


def _unclear(status: object) -> InDoubt:
    return InDoubt(f"the gateway's status is {str(status)[:TEXT_CHARS_MAX]!r}", is_stored=True)
