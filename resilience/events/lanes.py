"""The lanes of a subscription: which events are whose, and how their number changes while events come.

A row of `resilience_subscription` is one lane, `lane` of `lanes`. The first row also says what holds for all:
`paused`, `lanes_next`, and by its id whose inbox they fill. A lane and its place mean "every wanted event of
my aggregates up to here has been handled". With another number an aggregate may be another lane's, so:

1. While `lanes_next` is set, no lane goes beyond the place of the foremost (`positions.claim`, the bar).
2. When all stand at one place, `change_lanes` replaces them in one transaction: behind that place nothing
   of any aggregate was handled, before it everything. So nothing is lost, doubled or turned round.
3. Whoever read as a lane of the old number is refused by `advance`, which compares number and place.
"""

import logging
from dataclasses import dataclass

from django.db import connection, transaction

from resilience.events.subscription import Subscription

logger = logging.getLogger(__name__)

# First key of the advisory locks by which lanes are claimed; the row's id is the second.
LOCK_CLASS = 0x45564E54


@dataclass(frozen=True)
class Lane:
    """One lane: `number` from 0, `of` how many."""

    number: int = 0
    of: int = 1


ALONE = Lane()


def in_lane(number: str, of: str) -> str:
    """Return the SQL condition that an event (`aggregatetype`, `aggregateid`) belongs to a lane.

    A byte of SHA-256, because it must be the same for ever: PostgreSQL promises that of no hash of its own.
    """
    return (
        f"({of} = 1 OR mod(get_byte(sha256(convert_to(aggregatetype, 'UTF8') || uuid_send(aggregateid)), 0),"
        f" {of}) = {number})"
    )


def ask_lanes(subscription: Subscription) -> None:
    """Let the subscription have as many lanes as it declares, as soon as all stand at one place.

    Once per process, not per batch: while two releases run side by side, the one started last is right.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ASK, {"name": subscription.name, "lanes": subscription.lanes})


def change_lanes(name: str) -> None:
    """Replace the lanes by as many as are asked for; does nothing while they are busy or not at one place.

    The event behind that place is tried afresh, as often as any other.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK, [LOCK_CLASS, name])
        rows = cursor.fetchall()
        is_free, at_one_place = all(row[0] for row in rows), len({row[2:] for row in rows}) == 1
        lanes = rows[0][1] if rows else None
        if lanes is None or not is_free or not at_one_place:
            return
        cursor.execute(_CHANGE, {"name": name, "before": len(rows), "lanes": lanes})
    facts = {"subscription": name, "lanes": lanes, "lanes_before": len(rows)}
    logger.info("A subscription has another number of lanes.", extra=facts)


_ASK = """
UPDATE resilience_subscription
SET lanes_next = nullif(%(lanes)s, lanes), updated_at = clock_timestamp()
WHERE name = %(name)s AND lane = 0 AND coalesce(lanes_next, lanes) <> %(lanes)s
"""
# Row locks, so that nothing moves a place between this look and the change; and the advisory ones, only so
# that no batch in hand has to be undone.
_LOCK = """
SELECT pg_try_advisory_xact_lock(%s, id::int), lanes_next, position_xid, position
FROM resilience_subscription
WHERE name = %s
ORDER BY lane
FOR UPDATE
"""
# The first lane's row stays whatever the number: the inbox goes by its id.
_CHANGE = """
WITH gone AS (
    DELETE FROM resilience_subscription
    WHERE name = %(name)s AND lane >= %(lanes)s
    RETURNING handled
),
kept AS (
    UPDATE resilience_subscription
    SET lanes = %(lanes)s, lanes_next = NULL, attempts = 0, retry_at = NULL, error = '',
        handled = handled + CASE WHEN lane = 0 THEN (SELECT coalesce(sum(handled), 0) FROM gone) ELSE 0 END,
        updated_at = clock_timestamp()
    WHERE name = %(name)s AND lane < %(lanes)s
)
INSERT INTO resilience_subscription
    (name, lane, lanes, position_xid, position, paused, handled, attempts, error, updated_at)
SELECT
    name, generate_series(%(before)s::int, %(lanes)s - 1), %(lanes)s, position_xid, position, false, 0, 0, '',
    clock_timestamp()
FROM resilience_subscription
WHERE name = %(name)s AND lane = 0
"""
