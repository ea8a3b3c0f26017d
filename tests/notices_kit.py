"""What tests of notices share: events as a gateway shapes them, signed as it signs them."""

import hmac
import json
from collections.abc import Mapping
from itertools import count
from typing import Any

from resilience import clock

_NUMBERS = count(1)


def event(
    type: str = "payment_intent.succeeded",
    *,
    reference: str = "pi_1",
    event_id: str | None = None,
    payment_id: object = None,
    **subject: object,
) -> dict[str, Any]:
    """Return an event about the intent `reference`; `payment_id` goes into the object's metadata."""
    named = {"id": reference} if type.startswith("payment_intent.") else {"payment_intent": reference}
    metadata = {} if payment_id is None else {"payment_id": str(payment_id)}
    return {
        "id": event_id or f"evt_{next(_NUMBERS)}_{clock.now().timestamp()}",
        "object": "event",
        "created": int(clock.now().timestamp()),
        "type": type,
        "data": {"object": {"id": "obj_1", **named, "metadata": metadata, **subject}},
    }


def signature_of(body: bytes, *, secret: str, at: int | None = None, scheme: str = "v1") -> str:
    """Return the Stripe-Signature of `body`."""
    at = int(clock.now().timestamp()) if at is None else at
    return f"t={at},{scheme}={mac_of(body, secret=secret, at=at)}"


def mac_of(body: bytes, *, secret: str, at: object) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, "sha256").hexdigest()


def body_of(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document).encode()
