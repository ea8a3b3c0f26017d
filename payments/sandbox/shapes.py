"""Objects as Stripe publishes them, made from the book's rows."""

import json
from typing import Any

from .charge_shapes import charge_shape, refund_shape
from .dispute_shapes import dispute_shape
from .errors import doc_url
from .method_shapes import METHOD_OPTIONS, method_shape
from .methods import Decline
from .records import Charge, Dispute, Event, Intent, Refund

# The version that the pinned SDK is generated for; events carry it.
API_VERSION = "2026-10-28.endive"

# Made once: `json.dumps` with any option makes a new one for each call.
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)


def dump(shape: Any) -> str:
    """Encode `shape` as compact JSON."""
    return _ENCODER.encode(shape)


def intent_shape(intent: Intent) -> dict[str, Any]:
    """Return the PaymentIntent object."""
    details = json.loads(intent.details) if intent.details != "{}" else {}
    types = details.get("payment_method_types", ["card"])
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
        "payment_method_options": {type: METHOD_OPTIONS[type] for type in types},
        "payment_method_types": types,
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
    }


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
        case "Refund":
            return refund_shape(Refund(*values))
        case _:
            return dispute_shape(Dispute(*values))
