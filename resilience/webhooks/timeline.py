"""What a timeline shows of webhooks: that an event was to be posted, and what became of it."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from resilience.timeline import Entry, Window
from resilience.webhooks.models import WebhookDelivery


def delivery_entries(*, aggregate_ids: Sequence[UUID], window: Window) -> list[Entry]:
    """Return the deliveries of events of these aggregates; one statement."""
    rows = WebhookDelivery.objects.filter(aggregate_id__in=aggregate_ids).select_related("endpoint")
    return [entry for row in window.rows(rows, "created_at", "settled_at") for entry in _of(row)]


def _of(row: WebhookDelivery) -> Iterable[Entry]:
    details = {
        "delivery_id": row.pk,
        "endpoint_id": row.endpoint_id,
        "url": row.endpoint.url,
        "type": row.type,
        "event_id": row.event_id,
    }
    yield Entry(row.created_at, "webhook_out", f"{row.type}: webhook due", details, f"5:webhook:{row.pk}")
    if row.settled_at is not None:
        settled = {**details, "attempts": row.attempts}
        title = f"{row.type}: webhook {row.state}"
        yield Entry(row.settled_at, "webhook_out", title, settled, f"6:webhook:{row.pk}")
