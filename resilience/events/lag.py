"""How far a subscription is behind."""

import json
from dataclasses import dataclass

from django.db import connection

from resilience.events.lanes import in_lane
from resilience.events.subscription import Subscription, subscriptions

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
    """Return the lag of `subscription`: the events of all its lanes, and the age of the slowest one's."""
    lags = lag_by_lane(subscription)
    return Lag(
        events=sum(one.events for one in lags),
        bounded=any(one.bounded for one in lags),
        oldest_age_s=max((one.oldest_age_s for one in lags if one.oldest_age_s is not None), default=None),
    )


def lag_by_lane(subscription: Subscription) -> list[Lag]:
    """Return the lag of each lane; before the first run, of one to which everything is still to come."""
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
        rows = cursor.fetchall()
    return [
        Lag(events=events, bounded=scanned == _COUNT_MAX, oldest_age_s=oldest_age_s)
        for events, scanned, oldest_age_s in rows
    ]


def registered() -> str:
    """Return the parameter of `OLDEST_AGES`: what is registered in this process, as JSON."""
    return json.dumps(
        [
            {"name": one.name, "types": None if one.types is None else sorted(one.types)}
            for one in subscriptions()
        ]
    )


# Seconds by name of subscription, 0 when all is handled: of its slowest lane. An expression for the pulse.
OLDEST_AGES = f"""
SELECT coalesce(jsonb_object_agg(name, age_s), '{{}}')
FROM (
    SELECT wanted.name, coalesce(max((
        SELECT extract(epoch FROM clock_timestamp() - event.recorded_at)
        FROM resilience_event AS event
        WHERE (event.xid, event.position)
                > (coalesce(stand.position_xid::text, '0')::xid8, coalesce(stand.position, 0))
            AND (wanted.types IS NULL OR wanted.types ? event.type)
            AND {in_lane("coalesce(stand.lane, 0)", "coalesce(stand.lanes, 1)")}
        ORDER BY event.xid, event.position LIMIT 1
    )), 0) AS age_s
    FROM jsonb_to_recordset(%s::jsonb) AS wanted (name text, types jsonb)
    LEFT JOIN resilience_subscription AS stand ON stand.name = wanted.name
    GROUP BY wanted.name
) AS by_name
"""  # noqa: S608 - the only part put in is a constant condition
_LAG = f"""
WITH stand AS (
    SELECT lane, lanes, position_xid AS xid, position
    FROM resilience_subscription
    WHERE name = %(name)s
    UNION ALL
    SELECT 0, 1, '0', 0
    WHERE NOT EXISTS (SELECT FROM resilience_subscription WHERE name = %(name)s)
),
rearmost AS (
    SELECT xid, position
    FROM stand
    ORDER BY xid, position
    LIMIT 1
),
behind AS MATERIALIZED (
    SELECT
        xid, position, aggregatetype, aggregateid, recorded_at,
        (%(every_type)s OR type = ANY (%(types)s::text[])) AS wanted
    FROM resilience_event
    WHERE (xid, position) > ((SELECT xid FROM rearmost), (SELECT position FROM rearmost))
    ORDER BY xid, position
    LIMIT %(count_max)s
)
SELECT
    count(behind.xid),
    (SELECT count(*) FROM behind),
    extract(epoch FROM clock_timestamp() - min(behind.recorded_at))::float8
FROM stand
LEFT JOIN behind
    ON wanted AND (behind.xid, behind.position) > (stand.xid, stand.position)
    AND {in_lane("stand.lane", "stand.lanes")}
GROUP BY stand.lane
ORDER BY stand.lane
"""  # noqa: S608 - as above
