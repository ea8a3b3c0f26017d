"""Endpoints and deliveries as the API shows them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from resilience.rest.timestamps import timestamp
from resilience.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from resilience.webhooks.states import DeliveryState

Json = dict[str, Any]


def endpoint(row: WebhookEndpoint) -> Json:
    """Return an endpoint without its secret."""
    return {
        "id": row.pk,
        "url": row.url,
        "description": row.description,
        "types": row.types,
        "ordering": "aggregate" if row.is_ordered else "none",
        "enabled": row.disabled_at is None,
        "disabled_reason": row.disabled_reason or None,
        "disabled_at": timestamp(row.disabled_at),
        "failing_since": timestamp(row.failing_since),
        "previous_secret_until": _rotating_until(row),
        "created_at": timestamp(row.created_at),
    }


def _rotating_until(row: WebhookEndpoint) -> str | None:
    newest = row.secrets_before[0]["until"] if row.secrets_before else None
    return None if newest is None else timestamp(datetime.fromisoformat(newest))


def endpoint_with_secret(row: WebhookEndpoint) -> Json:
    """Return a new endpoint, or one with a new secret."""
    return {**endpoint(row), "secret": row.secret}


def delivery(row: WebhookDelivery) -> Json:
    """Return a delivery."""
    return {
        "id": row.pk,
        "endpoint_id": row.endpoint_id,
        "event_id": row.event_id,
        "type": row.type,
        "state": DeliveryState(row.state).value,
        "attempts": row.attempts,
        "next_attempt_at": timestamp(row.due_at),
        "created_at": timestamp(row.created_at),
        "settled_at": timestamp(row.settled_at),
    }


def delivery_with_log(row: WebhookDelivery, attempts: Iterable[WebhookAttempt]) -> Json:
    """Return a delivery with its bytes and attempts."""
    return {**delivery(row), "body": row.body, "log": [_attempt(attempt) for attempt in attempts]}


def _attempt(row: WebhookAttempt) -> Json:
    return {
        "number": row.number,
        "at": timestamp(row.at),
        "took_s": round(row.took_s, 3),
        "status": row.http_status,
        "error": row.error or None,
        "reply": row.reply,
    }
