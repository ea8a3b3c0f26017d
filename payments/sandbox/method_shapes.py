"""Payment methods as Stripe publishes them: by themselves, and inside a charge."""

from typing import Any

from .methods import Method, find_method
from .records import Charge

BILLING = {
    "address": {
        "city": None,
        "country": None,
        "line1": None,
        "line2": None,
        "postal_code": None,
        "state": None,
    },
    "email": None,
    "name": None,
    "phone": None,
    "tax_id": None,
}


# What an intent says about each type of method that it takes.
METHOD_OPTIONS: dict[str, dict[str, Any]] = {
    "boleto": {"expires_after_days": 3},
    "card": {
        "installments": None,
        "mandate_options": None,
        "network": None,
        "request_three_d_secure": "automatic",
    },
    "voucher": {},
}
# Stripe's own tax id for tests.
_BOLETO = {"tax_id": "000.000.000-00"}


def method_shape(token: str, *, created: int) -> dict[str, Any]:
    """Return the PaymentMethod object of a test method, as shown inside errors."""
    method = find_method(token)
    return {
        "id": token,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": BILLING,
        method.type: _about(method),
        "created": created,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": method.type,
    }


def charge_details(charge: Charge) -> dict[str, Any]:
    """Return `payment_method_details` of a charge."""
    method = find_method(charge.payment_method)
    match method.type:
        case "card":
            details = _card_details(charge, method)
        case "boleto":
            details = _BOLETO
        case _:
            details = {"capture_before": charge.capture_before, "last4": method.last4}
    return {"type": method.type, method.type: details}


def _about(method: Method) -> dict[str, Any]:
    match method.type:
        case "card":
            return _card(method)
        case "boleto":
            return _BOLETO
        case _:
            return {"last4": method.last4}


def _card(method: Method) -> dict[str, Any]:
    return {
        "brand": method.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None},
        "country": method.country,
        "display_brand": method.brand,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"sandbox{method.last4}",
        "funding": method.funding,
        "last4": method.last4,
        "networks": {"available": [method.brand], "preferred": None},
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _card_details(charge: Charge, method: Method) -> dict[str, Any]:
    return {
        "amount_authorized": charge.amount if charge.status == "succeeded" else None,
        "authorization_code": None,
        "brand": method.brand,
        "capture_before": charge.capture_before,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None},
        "country": method.country,
        "exp_month": 12,
        "exp_year": 2034,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": f"sandbox{method.last4}",
        "funding": method.funding,
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": method.last4,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": method.brand,
        "network_token": {"used": False},
        "overcapture": {"maximum_amount_capturable": charge.amount, "status": "unavailable"},
        "three_d_secure": None,
        "wallet": None,
    }
