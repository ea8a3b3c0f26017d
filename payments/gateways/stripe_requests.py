"""What we send to Stripe for each request. Pure: a request is always sent with the same words.

The danger: an idempotency key stands for its parameters. Whatever changes here makes a request that
was under way into another one, which Stripe refuses under the old key (`KeyReusedError`).
"""

from typing import Any, NamedTuple
from urllib.parse import quote

from payments.gateways.base import Authorize, Capture, Refund, Request, Void
from payments.gateways.stripe_amounts import stripe_units
from payments.states import DELAYED, MethodType

# With this, the answer to an authorization tells when it lapses, which else costs a call of its own.
CHARGE_INCLUDED = {"expand": ["latest_charge"]}
# Stripe's own default, said aloud: the stock of an order is held as long as its slip can be paid.
BOLETO_EXPIRES_AFTER_DAYS = 3


class Call(NamedTuple):
    """A POST."""

    path: str
    params: dict[str, Any]


def call_of(request: Request, *, return_url: str) -> Call:
    """Return the call that carries out `request`. Raises AmountRefusedError."""
    match request:
        case Authorize():
            return Call("/v1/payment_intents", _authorize_params(request, return_url))
        case Capture():
            path = intent_path(request.reference) + "/capture"
            return Call(path, {"amount_to_capture": stripe_units(request.amount_minor, request.currency)})
        case Void():
            return Call(intent_path(request.reference) + "/cancel", {})
        case Refund():
            amount = stripe_units(request.amount_minor, request.currency)
            metadata = {"operation_key": request.key}
            params = {"payment_intent": request.reference, "amount": amount, "metadata": metadata}
            return Call("/v1/refunds", params)


def intent_path(reference: str) -> str:
    """Return the path of a payment intent."""
    if not reference:
        raise ValueError("a request without a reference would go to all payments")
    return f"/v1/payment_intents/{quote(reference, safe='')}"


def _authorize_params(request: Authorize, return_url: str) -> dict[str, Any]:
    # Named types, not `automatic_payment_methods`: which methods an account has switched on is not in
    # our hands, and what a method can do (be held first or not) is part of what was asked.
    is_delayed = request.method_type in DELAYED
    params: dict[str, Any] = {
        "amount": stripe_units(request.amount_minor, request.currency),
        "currency": request.currency.lower(),
        "capture_method": "automatic" if is_delayed else "manual",
        "confirm": True,
        "payment_method": request.method,
        "payment_method_types": [request.method_type.value],
        "metadata": {
            "order_id": str(request.order_id),
            "payment_id": str(request.payment_id),
            "operation_key": request.key,
        },
        **CHARGE_INCLUDED,
    }
    if request.method_type is MethodType.BOLETO:
        params["payment_method_options"] = {"boleto": {"expires_after_days": BOLETO_EXPIRES_AFTER_DAYS}}
    if return_url:
        params["return_url"] = return_url
    return params
