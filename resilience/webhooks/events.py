"""What webhooks tell the world of themselves."""

from dataclasses import dataclass
from uuid import UUID

from resilience.events import event_type


@event_type("webhook_endpoint.disabled", version=1, aggregate="webhook_endpoint")
@dataclass(frozen=True)
class WebhookEndpointDisabled:
    """An endpoint was turned off by itself: it answered 410 ("gone"), or nothing got through ("failing")."""

    endpoint_id: UUID
    url: str
    reason: str
