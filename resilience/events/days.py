"""The days of the log: a partition each, opened ahead, and marks that tell which days a reader may leave out.

A mark (day, xid) says: when `xid` was the first id that no transaction had yet, it was `day` already.
So an event with that xid or a later one is not older: it was written after a transaction of such an id began
(resilience/events/log.py). A day of slack is for the clocks of a primary and of the one that follows it.
"""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection

# Whoever opens the days may be away over a long weekend; a day that nobody opened is kept with the strays.
DAYS_AHEAD = 7
_SLACK = timedelta(days=1)
# An old list is less sharp, and never wrong: marks are only added.
_LIST_LASTS_S = 60.0
# Events wait for a day to be attached: no subscription is to notice.
_LOCK_TIMEOUT = "500ms"


@dataclass(frozen=True, order=True)
class Mark:
    """From `xid` on, every event was recorded on `day` or later. The oldest one is where the log begins."""

    day: date
    xid: int

    @property
    def moment(self) -> datetime:
        """The beginning of the day."""
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)


_marks: tuple[Mark, ...] = ()
_marks_read_at = float("-inf")


def today() -> date:
    """Return the UTC day by the database's clock, which is the one that events are recorded by."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")
        day: date = cursor.fetchone()[0]
    return day


def open_days(day: date) -> list[date]:
    """Open `day` and those ahead of it where they are missing, and mark `day`; return which were opened."""
    opened = []
    with connection.cursor() as cursor:
        for ahead in range(DAYS_AHEAD + 1):
            wanted = day + timedelta(days=ahead)
            cursor.execute(_OPEN, [_LOCK_TIMEOUT, wanted])
            if cursor.fetchone()[1]:
                opened.append(wanted)
        cursor.execute(_MARK, [day])
    return opened


def beginning() -> Mark | None:
    """Return where the log begins: with xid 0 it has forgotten nothing yet. None: it was never marked."""
    marks = _read_marks()
    return marks[0] if marks else None


def keep_days() -> Mark | None:
    """Let nobody forget a day until the transaction ends, however long it lasts; return where the log begins.

    For whoever takes what is older from elsewhere: a day that went in between would be in neither.
    """
    with connection.cursor() as cursor:
        # A statement of its own: what is read next must be younger than the lock.
        cursor.execute(_KEEP)
    return beginning()


def oldest_of(xid: int) -> datetime | None:
    """Return a time before which no event behind `xid` was recorded; None when that is not known.

    From memory, but for one small statement a minute.
    """
    global _marks, _marks_read_at
    if time.monotonic() - _marks_read_at > _LIST_LASTS_S:
        _marks, _marks_read_at = _read_marks(), time.monotonic()
    for mark in reversed(_marks):
        if 0 < mark.xid <= xid:
            return mark.moment - _SLACK
    return None


def _read_marks() -> tuple[Mark, ...]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT day, xid FROM resilience_event_day ORDER BY day")
        return tuple(Mark(day, int(xid)) for day, xid in cursor.fetchall())


# DROP wants the whole table for itself, and gives up (resilience/events/retention.py).
_KEEP = """
LOCK TABLE ONLY resilience_event IN ACCESS SHARE MODE;
SET LOCAL idle_in_transaction_session_timeout = '10min';
"""
_OPEN = "SELECT set_config('lock_timeout', %s, true), resilience_event_open_day(%s)"
_MARK = """
INSERT INTO resilience_event_day (day, xid)
VALUES (%s, pg_snapshot_xmax(pg_current_snapshot()))
ON CONFLICT (day) DO NOTHING
"""
