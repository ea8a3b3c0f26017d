"""From the log to deliveries: a row for each endpoint that wants an event, in the reader's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from resilience import clock
from resilience.events import Event
from resilience.events.payload import to_json
from resilience.routing.databases import PRIMARY
from resilience.webhooks.models import WebhookDelivery, WebhookEndpoint

# Of one statement: a body may be kilobytes, and a client may have twenty endpoints.
_ROWS_MAX = 1000


def fan_out(events: Sequence[Event]) -> None:
    """Write the deliveries of `events`; one that is there already stays as it is."""
    clients = {event.client for event in events if event.client}
    if not clients:
        return
    endpoints = defaultdict(list)
    for endpoint in WebhookEndpoint.objects.using(PRIMARY).filter(client__in=clients, disabled_at=None):
        endpoints[endpoint.client].append(endpoint)
    now = clock.now()
    deliveries = [
        delivery for event in events for delivery in _deliveries(event, endpoints[event.client], now=now)
    ]
    if deliveries:
        WebhookDelivery.objects.using(PRIMARY).bulk_create(
            deliveries, batch_size=_ROWS_MAX, ignore_conflicts=True
        )


def body_of(event: Event) -> str:
    """Return the bytes that are posted, as text: the envelope that the feed shows."""
    return to_json(event.envelope())


def _deliveries(
    event: Event, endpoints: Iterable[WebhookEndpoint], *, now: datetime
) -> Iterator[WebhookDelivery]:
    wanting = [endpoint for endpoint in endpoints if not endpoint.types or event.type in endpoint.types]
    body = body_of(event) if wanting else ""
    for endpoint in wanting:
        yield WebhookDelivery(
            endpoint=endpoint,
            event_id=event.id,
            type=event.type,
            aggregate_id=event.aggregate_id,
            sequence=event.sequence,
            body=body,
            due_at=now,
            created_at=now,
        )
