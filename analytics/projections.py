"""From events to figures. Each runs in the transaction that advances its subscription: exactly once."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from resilience.events import Event

_ADD = """
INSERT INTO analytics_orders_per_minute (minute, outcome, orders)
SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::bigint[])
ON CONFLICT (minute, outcome) DO UPDATE
SET orders = analytics_orders_per_minute.orders + excluded.orders
"""


def count_orders(events: Sequence[Event]) -> None:
    """Count placed, confirmed, cancelled and returned orders by the minute they were so."""
    counts = Counter((_minute(event.occurred_at), _outcome(event)) for event in events)
    # Sorted, so that two transactions take the rows in one order.
    rows = sorted((minute, outcome, orders) for (minute, outcome), orders in counts.items())
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _outcome(event: Event) -> str:
    """Return the event's verb, and `returned` for a confirmed order that was cancelled."""
    if event.data.get("was_confirmed"):
        return "returned"
    return event.type.partition(".")[2]
