"""A subscription's row: claimed while a batch is handled, advanced in the batch's own transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from resilience.errors import Operational
from resilience.events.days import oldest_of
from resilience.events.reading import SCAN_MAX, Cursor
from resilience.events.subscription import Subscription, UnknownSubscriptionError

# First key of the advisory locks by which subscriptions are claimed; the row's id is the second.
_LOCK_CLASS = 0x45564E54
# A handler that leaves its transaction idle this long is cut off by the server: from its first
# write on it holds back what all others may read.
_HANDLER_IDLE_MAX = "30s"

# Per subscription, the xid where it stood when this process asked last.
_stood: dict[str, int] = {}


class PositionMovedError(Operational):
    """Somebody moved the subscription's position while a batch was handled; the batch is undone."""

    code = "subscription_position_moved"


@dataclass(frozen=True)
class Position:
    """Where a subscription stands, and how often the next event has failed."""

    subscription_id: int
    cursor: Cursor
    attempts: int


def pending(subscription: Subscription) -> int | None:
    """Return the id of the subscription's row when there is something to do now, else None.

    One statement and no transaction, for it is asked several times a second. Only a hint:
    `claim` decides. A new subscription gets its row here.
    """
    with connection.cursor() as cursor:
        row = _ask(cursor, subscription)
        if row is None:
            cursor.execute(_ENROL, [subscription.start == "now", subscription.name])
            row = _ask(cursor, subscription)
    return row[0] if row is not None and row[1] else None


def _ask(cursor: Any, subscription: Subscription) -> tuple[int, bool] | None:
    """Ask for the row, leaving out the days before the place where it stood the last time we asked."""
    while True:
        stood = _stood.get(subscription.name, 0)
        parameters = {
            "name": subscription.name,
            "every_type": subscription.types is None,
            "types": list(subscription.types or ()),
            "scan": SCAN_MAX,
            "since": oldest_of(stood),
        }
        cursor.execute(_PENDING, parameters)
        row = cursor.fetchone()
        if row is None:
            return None
        id_, is_pending, xid = row[0], row[1], int(row[2])
        _stood[subscription.name] = xid
        # Somebody moved it back: what was left out may be wanted.
        if xid >= stood:
            return id_, is_pending


def claim(subscription_id: int) -> Position | None:
    """Take the subscription until the transaction ends; None when another has it, or it must wait.

    An advisory lock and not `FOR UPDATE`: a row lock would give this transaction an id, and from then
    on a slow handler would hold back every other subscription's horizon. The lock goes with the
    connection, so a killed process is followed at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(%s, %s), "
            "set_config('idle_in_transaction_session_timeout', %s, true)",
            [_LOCK_CLASS, subscription_id, _HANDLER_IDLE_MAX],
        )
        if not cursor.fetchone()[0]:
            return None
        # A statement of its own: its snapshot must be younger than the lock.
        cursor.execute(_STAND, [subscription_id])
        row = cursor.fetchone()
    return row and Position(
        subscription_id=subscription_id, cursor=Cursor(int(row[0]), row[1]), attempts=row[2]
    )


@contextmanager
def hold(name: str) -> Iterator[Cursor]:
    """Keep everybody from serving a subscription until the transaction ends; yield where it stands.

    Waits for whoever serves it now. Raises UnknownSubscriptionError when it has never run.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM resilience_subscription WHERE name = %s", [name])
        row = cursor.fetchone()
        if row is None:
            raise UnknownSubscriptionError(f"{name} has never run")
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, %s), set_config('statement_timeout', '0', true)",
            [_LOCK_CLASS, row[0]],
        )
        # A statement of its own: its snapshot must be younger than the lock.
        cursor.execute("SELECT position_xid, position FROM resilience_subscription WHERE id = %s", [row[0]])
        xid, position = cursor.fetchone()
    yield Cursor(int(xid), position)


def advance(position: Position, *, to: Cursor, handled: Sequence[UUID]) -> None:
    """Move the position and note `handled` in the inbox; clears the failures of the event behind it.

    Raises PositionMovedError when it is not where `position` says.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ADVANCE,
            {
                "id": position.subscription_id,
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
                position.subscription_id,
                str(position.cursor.xid),
                position.cursor.position,
                position.attempts,
            ],
        )


_PENDING = """
SELECT
    known.id,
    NOT known.paused
    AND (known.retry_at IS NULL OR known.retry_at <= clock_timestamp())
    AND (
        SELECT count(*) = %(scan)s OR bool_or(%(every_type)s OR type = ANY (%(types)s::text[]))
        FROM (
            SELECT type FROM resilience_event
            WHERE (xid, position) > (known.position_xid, known.position)
              AND xid < pg_snapshot_xmin(pg_current_snapshot())
              AND recorded_at >= coalesce(%(since)s::timestamptz, '-infinity')
            ORDER BY xid, position
            LIMIT %(scan)s
        ) AS scan
    ) IS TRUE,
    known.position_xid
FROM resilience_subscription AS known
WHERE known.name = %(name)s
"""
# "Now" is the reader's horizon: what is behind it has surely been committed before.
_ENROL = """
INSERT INTO resilience_subscription
    (position_xid, position, paused, handled, attempts, error, updated_at, name)
SELECT
    CASE WHEN %s THEN pg_snapshot_xmin(pg_current_snapshot()) ELSE '0' END,
    0, false, 0, 0, '', clock_timestamp(), %s
ON CONFLICT (name) DO NOTHING
"""
_STAND = """
SELECT position_xid, position, attempts
FROM resilience_subscription
WHERE id = %s AND NOT paused AND (retry_at IS NULL OR retry_at <= clock_timestamp())
"""
_ADVANCE = """
WITH inbox AS (
    INSERT INTO resilience_inbox (subscription_id, event_id)
    SELECT %(id)s, unnest(%(handled)s::uuid[])
)
UPDATE resilience_subscription
SET position_xid = %(to_xid)s::xid8, position = %(to_position)s, handled = handled + %(count)s,
    attempts = 0, retry_at = NULL, error = '', updated_at = clock_timestamp()
WHERE id = %(id)s AND position_xid = %(from_xid)s::xid8 AND position = %(from_position)s
"""
_POSTPONE = """
UPDATE resilience_subscription
SET attempts = attempts + 1, retry_at = clock_timestamp() + %s * interval '1 second', error = %s,
    updated_at = clock_timestamp()
WHERE id = %s AND position_xid = %s::xid8 AND position = %s AND attempts = %s
"""
