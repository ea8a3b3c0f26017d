"""A lane's row: claimed while a batch is handled, advanced in the batch's own transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from resilience.errors import Operational
from resilience.events.days import oldest_of
from resilience.events.lanes import LOCK_CLASS, Lane, change_lanes, in_lane
from resilience.events.reading import SCAN_MAX, Cursor
from resilience.events.subscription import Subscription, UnknownSubscriptionError

# A handler that leaves its transaction idle this long is cut off by the server: from its first
# write on it holds back what all others may read.
_HANDLER_IDLE_MAX = "30s"

# Per subscription, the xid where its rearmost lane stood when this process asked last.
_stood: dict[str, int] = {}


class PositionMovedError(Operational):
    """Somebody moved the position, or the lanes were changed, while a batch was handled; it is undone."""

    code = "subscription_position_moved"


class LanesApartError(Operational):
    """The subscription's lanes stand at different places, so that no one place says what it has handled."""

    code = "subscription_lanes_apart"


@dataclass(frozen=True)
class Position:
    """Where a lane stands, and how often the next event has failed.

    `id` is the lane's row, `subscription_id` whose inbox it fills. Nothing beyond `bar` is to be handled: the
    number of lanes is to change there.
    """

    id: int
    subscription_id: int
    lane: Lane
    cursor: Cursor
    attempts: int
    bar: Cursor | None = None


def pending(subscription: Subscription, *, share: int = 0) -> int | None:
    """Return the id of a lane's row where there is something to do now, the rearmost first, or None.

    Of the lanes that there are, those of `share`: every `subscription.lanes`-th. So all lanes are served by
    whoever declares more of them, or fewer, than there are until `change_lanes`, which happens here.
    One statement and no transaction, for it is asked several times a second. Only a hint:
    `claim` decides. A new subscription gets its row here.
    """
    row = _ask(subscription, share)
    if row is None:
        enrol(subscription)
        row = _ask(subscription, share)
    if row and row[2]:
        change_lanes(subscription.name)
        row = _ask(subscription, share)
    return row[0] if row and row[1] else None


def enrol(subscription: Subscription) -> None:
    """Give a new subscription its row: one lane, until it has those that it declares."""
    with connection.cursor() as cursor:
        cursor.execute(_ENROL, [subscription.lanes, subscription.start == "now", subscription.name])


def claim(lane_id: int) -> Position | None:
    """Take a lane until the transaction ends; None when another has it, or it must wait.

    An advisory lock and not `FOR UPDATE`: a row lock would give this transaction an id, and from then
    on a slow handler would hold back every other subscription's horizon. The lock goes with the
    connection, so a killed process is followed at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(%s, %s), "
            "set_config('idle_in_transaction_session_timeout', %s, true)",
            [LOCK_CLASS, lane_id, _HANDLER_IDLE_MAX],
        )
        if not cursor.fetchone()[0]:
            return None
        # A statement of its own: its snapshot must be younger than the lock.
        cursor.execute(_STAND, [lane_id])
        row = cursor.fetchone()
    if row is None:
        return None
    subscription_id, number, of, attempts, xid, position, bar_xid, bar_position = row
    return Position(
        id=lane_id,
        subscription_id=subscription_id,
        lane=Lane(number, of),
        cursor=Cursor(int(xid), position),
        attempts=attempts,
        bar=None if bar_xid is None else Cursor(int(bar_xid), bar_position),
    )


@contextmanager
def hold(name: str) -> Iterator[Cursor]:
    """Keep everybody from serving a subscription until the transaction ends; yield where it stands.

    Waits for whoever serves it now. Raises UnknownSubscriptionError when it has never run, and
    LanesApartError when its lanes stand at several places.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '0', true)")
        # The first lane before the others: while it is held, there cannot come to be more or fewer.
        for are_others in (False, True):
            cursor.execute(_HOLD, [LOCK_CLASS, name, are_others])
        # A statement of its own: its snapshot must be younger than the locks.
        cursor.execute(
            "SELECT DISTINCT position_xid, position FROM resilience_subscription WHERE name = %s", [name]
        )
        places = [Cursor(int(xid), position) for xid, position in cursor.fetchall()]
    if not places:
        raise UnknownSubscriptionError(f"{name} has never run")
    if len(places) > 1:
        raise LanesApartError(f"The lanes of {name} stand at {len(places)} places: try again.")
    yield places[0]


def advance(position: Position, *, to: Cursor, handled: Sequence[UUID]) -> None:
    """Move the position and note `handled` in the inbox; clears the failures of the event behind it.

    Raises PositionMovedError when it is not where `position` says.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ADVANCE,
            {
                "id": position.id,
                "lanes": position.lane.of,
                "subscription": position.subscription_id,
                "handled": "{" + ",".join(map(str, handled)) + "}",
                "count": len(handled),
                "to_xid": str(to.xid),
                "to_position": to.position,
                "from_xid": str(position.cursor.xid),
                "from_position": position.cursor.position,
            },
        )
        if cursor.rowcount != 1:
            raise PositionMovedError("the subscription's position was moved; the batch is undone")


def postpone(position: Position, *, wait_s: float, error: str) -> None:
    """Count a failure of the event behind the position and wait; nothing if somebody was quicker."""
    with connection.cursor() as cursor:
        cursor.execute(
            _POSTPONE,
            [
                wait_s,
                error,
                position.id,
                position.lane.of,
                str(position.cursor.xid),
                position.cursor.position,
                position.attempts,
            ],
        )


def _ask(subscription: Subscription, share: int) -> Sequence[Any] | None:
    """Return the row's id, whether there is something to do, and whether the lanes can be changed.

    Leaves out the days before the place where the rearmost lane stood the last time we asked.
    """
    while True:
        stood = _stood.get(subscription.name, 0)
        parameters: dict[str, Any] = {
            "name": subscription.name,
            "share": share,
            "shares": subscription.lanes,
            "every_type": subscription.types is None,
            "types": list(subscription.types or ()),
            "scan": SCAN_MAX * subscription.lanes,
            "since": oldest_of(stood),
        }
        with connection.cursor() as cursor:
            cursor.execute(_PENDING, parameters)
            row: Sequence[Any] | None = cursor.fetchone()
        if row is None:
            return None
        _stood[subscription.name] = int(row[3])
        # Somebody moved it back: what was left out may be wanted.
        if int(row[3]) >= stood:
            return row


# From the outer join there is a row even when the share has no lane yet.
_PENDING = f"""
SELECT
    stand.id,
    NOT base.paused
    AND (stand.retry_at IS NULL OR stand.retry_at <= clock_timestamp())
    AND CASE WHEN base.lanes_next IS NULL THEN (
        SELECT count(*) = %(scan)s OR bool_or(
            (%(every_type)s OR type = ANY (%(types)s::text[])) AND {in_lane("stand.lane", "stand.lanes")}
        )
        FROM (
            SELECT type, aggregatetype, aggregateid FROM resilience_event
            WHERE (xid, position) > (stand.position_xid, stand.position)
              AND xid < pg_snapshot_xmin(pg_current_snapshot())
              AND recorded_at >= coalesce(%(since)s::timestamptz, '-infinity')
            ORDER BY xid, position
            LIMIT %(scan)s
        ) AS scan
    ) IS TRUE ELSE EXISTS (
        SELECT FROM resilience_subscription AS other
        WHERE other.name = base.name
          AND (other.position_xid, other.position) > (stand.position_xid, stand.position)
    ) END AS has_work,
    NOT base.paused AND base.lanes_next IS NOT NULL AND NOT EXISTS (
        SELECT FROM resilience_subscription AS other
        WHERE other.name = base.name
          AND (other.position_xid, other.position) <> (base.position_xid, base.position)
    ),
    (
        SELECT position_xid FROM resilience_subscription AS other
        WHERE other.name = base.name
        ORDER BY position_xid
        LIMIT 1
    )
FROM resilience_subscription AS base
LEFT JOIN resilience_subscription AS stand
    ON stand.name = base.name AND mod(stand.lane, %(shares)s) = %(share)s
WHERE base.name = %(name)s AND base.lane = 0
ORDER BY has_work DESC, stand.position_xid, stand.position
LIMIT 1
"""  # noqa: S608 - the only part put in is a constant condition
# "Now" is the reader's horizon: what is behind it has surely been committed before.
_ENROL = """
INSERT INTO resilience_subscription
    (lane, lanes, lanes_next, position_xid, position, paused, handled, attempts, error, updated_at, name)
SELECT
    0, 1, nullif(%s, 1),
    CASE WHEN %s THEN pg_snapshot_xmin(pg_current_snapshot()) ELSE '0' END,
    0, false, 0, 0, '', clock_timestamp(), %s
ON CONFLICT (name, lane) DO NOTHING
"""
_STAND = """
SELECT
    base.id, stand.lane, stand.lanes, stand.attempts, stand.position_xid, stand.position,
    bar.position_xid, bar.position
FROM resilience_subscription AS stand
JOIN resilience_subscription AS base ON base.name = stand.name AND base.lane = 0
LEFT JOIN LATERAL (
    SELECT position_xid, position
    FROM resilience_subscription AS other
    WHERE base.lanes_next IS NOT NULL AND other.name = base.name
    ORDER BY position_xid DESC, position DESC
    LIMIT 1
) AS bar ON true
WHERE stand.id = %s AND NOT base.paused
  AND (stand.retry_at IS NULL OR stand.retry_at <= clock_timestamp())
"""
_HOLD = """
SELECT pg_advisory_xact_lock(%s, id::int)
FROM (SELECT id FROM resilience_subscription WHERE name = %s AND (lane > 0) = %s ORDER BY lane) AS known
"""
_ADVANCE = """
WITH inbox AS (
    INSERT INTO resilience_inbox (subscription_id, event_id)
    SELECT %(subscription)s, unnest(%(handled)s::uuid[])
)
UPDATE resilience_subscription
SET position_xid = %(to_xid)s::xid8, position = %(to_position)s, handled = handled + %(count)s,
    attempts = 0, retry_at = NULL, error = '', updated_at = clock_timestamp()
WHERE id = %(id)s AND lanes = %(lanes)s
  AND position_xid = %(from_xid)s::xid8 AND position = %(from_position)s
"""
_POSTPONE = """
UPDATE resilience_subscription
SET attempts = attempts + 1, retry_at = clock_timestamp() + %s * interval '1 second', error = %s,
    updated_at = clock_timestamp()
WHERE id = %s AND lanes = %s AND position_xid = %s::xid8 AND position = %s AND attempts = %s
"""
