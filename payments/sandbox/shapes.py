"""Objects as Stripe publishes them, made from the book's rows."""

import json
from typing import Any

from .errors import doc_url
from .methods import Decline, find_method
from .records import Charge, Event, Intent, Refund

# The version that the pinned SDK is generated for; events carry it.
API_VERSION = "2026-10-28.endive"
# Stripe keeps most card authorizations for seven days.
AUTHORIZATION_S = 7 * 24 * 3600

_BILLING = {
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


# Made once: `json.dumps` with any option makes a new one for each call.
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)


def dump(shape: Any) -> str:
    """Encode `shape` as compact JSON."""
    return _ENCODER.encode(shape)


def intent_shape(intent: Intent) -> dict[str, Any]:
    """Return the PaymentIntent object."""
    details = json.loads(intent.details) if intent.details != "{}" else {}
    return {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.amount_capturable,
        "amount_details": {"tip": {}},
        "amount_received": intent.amount_received,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": details.get("automatic_payment_methods"),
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": intent.capture_method,
        "client_secret": intent.client_secret,
        "confirmation_method": details.get("confirmation_method", "automatic"),
        "created": intent.created,
        "currency": intent.currency,
        "customer": intent.customer,
        "description": details.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": json.loads(intent.last_payment_error) if intent.last_payment_error else None,
        "latest_charge": intent.latest_charge,
        "livemode": False,
        "metadata": json.loads(intent.metadata),
        "next_action": json.loads(intent.next_action) if intent.next_action else None,
        "on_behalf_of": None,
        "payment_method": intent.payment_method,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"installments": None, "mandate_options": None, "network": None,
                     "request_three_d_secure": "automatic"}
        },
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": details.get("receipt_email"),
        "review": None,
        "setup_future_usage": details.get("setup_future_usage"),
        "shipping": details.get("shipping"),
        "source": None,
        "statement_descriptor": details.get("statement_descriptor"),
        "statement_descriptor_suffix": details.get("statement_descriptor_suffix"),
        "status": intent.status,
        "transfer_data": None,
        "transfer_group": details.get("transfer_group"),
    }  # fmt: skip


def charge_shape(charge: Charge) -> dict[str, Any]:
    """Return the Charge object."""
    succeeded = charge.status == "succeeded"
    return {
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.amount_captured,
        "amount_refunded": charge.amount_refunded,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": "txn" + charge.id[2:] if charge.amount_captured else None,
        "billing_details": _BILLING,
        "calculated_statement_descriptor": "HOLDFAST SANDBOX" if succeeded else None,
        "captured": charge.amount_captured > 0,
        "created": charge.created,
        "currency": charge.currency,
        "customer": charge.customer,
        "description": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": charge.failure_code,
        "failure_message": charge.failure_message,
        "fraud_details": {},
        "livemode": False,
        "metadata": json.loads(charge.metadata),
        "on_behalf_of": None,
        "outcome": _outcome(charge),
        "paid": succeeded,
        "payment_intent": charge.intent_id,
        "payment_method": charge.payment_method,
        "payment_method_details": {"type": "card", "card": _card(charge)},
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": 0 < charge.amount_captured == charge.amount_refunded,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": charge.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def refund_shape(refund: Refund) -> dict[str, Any]:
    """Return the Refund object."""
    return {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": "txn" + refund.id[2:],
        "charge": refund.charge_id,
        "created": refund.created,
        "currency": refund.currency,
        "destination_details": {
            "type": "card",
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number",
                     "type": "refund"},
        },
        "metadata": json.loads(refund.metadata),
        "payment_intent": refund.intent_id,
        "reason": refund.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": refund.status,
        "transfer_reversal": None,
    }  # fmt: skip


def event_shape(event: Event, *, pending_webhooks: int = 0) -> dict[str, Any]:
    """Return the Event object, around its subject as it was then."""
    return {
        "id": event.id,
        "object": "event",
        "api_version": API_VERSION,
        "created": event.created,
        "data": {"object": _subject_then(event)},
        "livemode": False,
        "pending_webhooks": pending_webhooks,
        "request": {"id": event.request_id, "idempotency_key": event.idempotency_key},
        "type": event.type,
    }


def method_shape(token: str, *, created: int) -> dict[str, Any]:
    """Return the PaymentMethod object of a test card, as shown inside errors."""
    method = find_method(token)
    return {
        "id": token,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": _BILLING,
        "card": {
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
        },
        "created": created,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def payment_error(
    decline: Decline, *, type: str, charge_id: str | None, method: str, created: int
) -> dict[str, Any]:
    """Return the error of a failed payment, as in `last_payment_error` and, with the intent, in a 402."""
    error = {"charge": charge_id} if charge_id is not None else {}
    issuer = {"decline_code": decline.decline_code} if decline.decline_code else {}
    return {
        **error,
        "code": decline.code,
        **issuer,
        "doc_url": doc_url(decline.code),
        "message": decline.message,
        "payment_method": method_shape(method, created=created),
        "type": type,
    }


def _subject_then(event: Event) -> dict[str, Any]:
    values = json.loads(event.snapshot)
    match event.subject:
        case "Intent":
            return intent_shape(Intent(*values))
        case "Charge":
            return charge_shape(Charge(*values))
        case _:
            return refund_shape(Refund(*values))


def _outcome(charge: Charge) -> dict[str, Any]:
    if charge.status == "succeeded":
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": 20,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network",
        "reason": charge.decline_code,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


def _card(charge: Charge) -> dict[str, Any]:
    method = find_method(charge.payment_method)
    return {
        "amount_authorized": charge.amount if charge.status == "succeeded" else None,
        "authorization_code": None,
        "brand": method.brand,
        "capture_before": charge.created + AUTHORIZATION_S,
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
