"""Forgetting: whole days of the log, once they are old and everybody who needs them has read them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction

from resilience.events.days import beginning
from resilience.events.models import EventReplay, SubscriptionState
from resilience.events.reading import Cursor
from resilience.events.subscription import subscriptions
from resilience.routing.databases import PRIMARY

logger = logging.getLogger(__name__)

# One run at a time; a second one has nothing to do.
_LOCK_CLASS = 0x464F5247
# DROP waits for who publishes now, and who publishes next waits for it: rather try again in an hour.
_LOCK_TIMEOUT = "200ms"
_INBOX_ROWS_AT_ONCE = 5_000
# An order's id is older than its event, and another clock's.
_ID_SLACK = timedelta(hours=1)

Place = Callable[[], Cursor]
_readers: dict[str, Place] = {}


# Rows that nobody had opened a day for; the table stays, and is emptied.
_STRAYS = "resilience_event_stray"


@dataclass(frozen=True)
class Partition:
    """A part of the log: what was recorded before `until`, and after the part before it; `size` in bytes."""

    name: str
    until: datetime
    size: int


@dataclass(frozen=True)
class _Reader:
    """Who reads the log, and how far; place None: it stands nowhere yet, or cannot be asked."""

    name: str
    place: Cursor | None
    types: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Forgotten:
    """What one run did: partitions dropped, rows of the inbox deleted, and who still needs what is old."""

    partitions: tuple[str, ...]
    inbox_rows: int
    held_by: tuple[str, ...]


def keep_for(name: str, place: Place) -> None:
    """Let the log keep what `name` has not read yet; `place` tells how far it is, and may raise OSError."""
    _readers[name] = place


def forget(*, before: date) -> Forgotten:
    """Drop every day before `before` that no subscription, replay or registered reader needs any more.

    Stops at the first day that somebody needs, so that the log has no holes. Then deletes from the inbox
    what the log cannot hand over any more.
    """
    dropped, held_by = [], tuple[str, ...]()
    for partition in partitions(before=before):
        held_by = _still_needed_by(partition)
        if held_by or not _drop(partition):
            break
        dropped.append(partition.name)
    if held_by:
        logger.warning("Old events are kept: somebody has not read them.", extra={"held_by": held_by})
    return Forgotten(tuple(dropped), _prune_inbox(), held_by)


def told_since() -> UUID:
    """Return the least id of an aggregate of which the log has the whole story, for audits.

    Ids are UUIDv7: they begin with their time in milliseconds.
    """
    mark = beginning()
    if mark is None or mark.xid == 0:
        return UUID(int=0)
    since = mark.moment + _ID_SLACK
    return UUID(int=int(since.timestamp() * 1000) << 80)


def partitions(*, before: date = date.max) -> list[Partition]:
    """Return the parts of the log that end before or with the beginning of `before`, the oldest first."""
    limit = datetime(before.year, before.month, before.day, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute(_PARTITIONS, [limit])
        return [Partition(*row) for row in cursor.fetchall()]


def _still_needed_by(partition: Partition) -> tuple[str, ...]:
    return tuple(reader.name for reader in _all_readers() if _needs(reader, partition))


def _needs(reader: _Reader, partition: Partition) -> bool:
    # Asked for what it wants, and not where it stands: nobody writes a position for skipped events alone.
    place = reader.place or Cursor()
    parameters: dict[str, Any] = {
        "xid": str(place.xid),
        "position": place.position,
        "types": None if reader.types is None else list(reader.types),
    }
    with connection.cursor() as cursor:
        # The name comes from the catalogue.
        cursor.execute(_NEEDED.format(partition=partition.name), parameters)
        return bool(cursor.fetchone()[0])


def _all_readers() -> list[_Reader]:
    known: dict[str, Cursor] = {}
    for state in SubscriptionState.objects.using(PRIMARY).all():
        place = Cursor(state.position_xid, state.position)
        known[state.name] = min(place, known.get(state.name, place))
    readers = [_Reader(one.name, known.get(one.name), one.types) for one in subscriptions()]
    readers += [
        _Reader(f"replay {replay.id}", Cursor(replay.position_xid, replay.position))
        for replay in EventReplay.objects.using(PRIMARY).filter(done_at=None)
    ]
    for name, ask in _readers.items():
        try:
            readers.append(_Reader(name, ask()))
        except OSError as error:
            logger.warning("A reader's place cannot be read.", extra={"reader": name, "error": str(error)})
            readers.append(_Reader(name, None))
    return readers


def _drop(partition: Partition) -> bool:
    """Drop it and move the log's beginning, in one transaction; False when it is in use just now."""
    try:
        with transaction.atomic(using=PRIMARY), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_try_advisory_xact_lock(%s, 0), set_config('lock_timeout', %s, true)",
                [_LOCK_CLASS, _LOCK_TIMEOUT],
            )
            if not cursor.fetchone()[0]:
                return False
            if partition.name == _STRAYS:
                # Of all parts this one alone may have got an event since it was looked at.
                cursor.execute(f"LOCK TABLE {_STRAYS} IN ACCESS EXCLUSIVE MODE")
                cursor.execute(_YOUNGER_STRAYS, [partition.until])
                if cursor.fetchone()[0]:
                    return False
                cursor.execute(f"TRUNCATE {_STRAYS}")
            else:
                cursor.execute(f'DROP TABLE IF EXISTS "{partition.name}"')
            cursor.execute("DELETE FROM resilience_event_day WHERE day < %s", [partition.until.date()])
    except OperationalError as error:
        logger.info("Not forgotten now.", extra={"partition": partition.name, "error": str(error)})
        return False
    logger.info("Forgotten.", extra={"partition": partition.name, "until": partition.until.isoformat()})
    return True


def _prune_inbox() -> int:
    """Delete what is older than the oldest event of the log, a piece at a time, and return how many rows."""
    deleted = 0
    for subscription_id in SubscriptionState.objects.using(PRIMARY).values_list("id", flat=True):
        while True:
            with connection.cursor() as cursor:
                cursor.execute(_PRUNE, {"subscription": subscription_id, "rows": _INBOX_ROWS_AT_ONCE})
                deleted += cursor.rowcount
                if cursor.rowcount < _INBOX_ROWS_AT_ONCE:
                    break
    return deleted


# A bound reads "FOR VALUES FROM (…) TO ('2026-11-28 00:00:00+00')"; the strays' is "DEFAULT".
_PARTITIONS = f"""
SELECT name, until, pg_total_relation_size(name::regclass) FROM (
    SELECT part.relname AS name, substring(
        pg_get_expr(part.relpartbound, part.oid) FROM $$TO \\('([^']+)'\\)$$
    )::timestamptz AS until
    FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid
    WHERE inhparent = 'resilience_event'::regclass
    UNION ALL
    SELECT '{_STRAYS}', date_trunc('day', max(recorded_at), 'UTC') + interval '1 day' FROM {_STRAYS}
) AS parts
WHERE until <= %s
ORDER BY until
"""  # noqa: S608 - the only part put in is a constant of this module
_YOUNGER_STRAYS = f"SELECT count(*) FROM {_STRAYS} WHERE recorded_at >= %s"  # noqa: S608 - as above
_NEEDED = """
SELECT EXISTS (
    SELECT FROM {partition}
    WHERE (xid, position) > (%(xid)s::xid8, %(position)s)
      AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
)
"""
_PRUNE = """
DELETE FROM resilience_inbox
WHERE subscription_id = %(subscription)s AND event_id IN (
    SELECT event_id FROM resilience_inbox
    WHERE subscription_id = %(subscription)s
      AND event_id < (SELECT id FROM resilience_event ORDER BY id LIMIT 1)
    ORDER BY event_id
    LIMIT %(rows)s
)
"""
