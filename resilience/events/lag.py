"""How far a subscription is behind."""

from dataclasses import dataclass

from django.db import connection

from resilience.events.subscription import Subscription

# Rows counted at most: beyond this the number says "very far", and exactness would cost a long scan.
_COUNT_MAX = 10_000


@dataclass(frozen=True)
class Lag:
    """Events committed but not handled. `events` is a lower bound when `bounded`; the age is None at 0.

    Counts also what no reader may see yet, so that a transaction which holds the horizon back shows.
    """

    events: int
    bounded: bool
    oldest_age_s: float | None


def lag(subscription: Subscription) -> Lag:
    """Return the lag of `subscription`; before its first run, everything from the beginning counts."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LAG,
            {
                "name": subscription.name,
                "every_type": subscription.types is None,
                "types": list(subscription.types or ()),
                "count_max": _COUNT_MAX,
            },
        )
        events, scanned, oldest_age_s = cursor.fetchone()
    return Lag(events=events, bounded=scanned == _COUNT_MAX, oldest_age_s=oldest_age_s)


_LAG = """
WITH stand AS (
    SELECT
        coalesce(max(position_xid::text)::xid8, '0') AS xid, coalesce(max(position), 0) AS position
    FROM resilience_subscription
    WHERE name = %(name)s
)
SELECT
    count(*) FILTER (WHERE wanted),
    count(*),
    extract(epoch FROM clock_timestamp() - min(recorded_at) FILTER (WHERE wanted))::float8
FROM (
    SELECT recorded_at, (%(every_type)s OR type = ANY (%(types)s::text[])) AS wanted
    FROM resilience_event
    WHERE (xid, position) > ((SELECT xid FROM stand), (SELECT position FROM stand))
    ORDER BY xid, position
    LIMIT %(count_max)s
) AS behind
"""
