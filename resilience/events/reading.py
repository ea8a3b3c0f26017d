"""Reading the log in its one order: by cursor for subscriptions, by sequence for one aggregate."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from resilience.events.days import oldest_of
from resilience.events.event import Event
from resilience.events.lanes import ALONE, Lane, in_lane
from resilience.events.recent import Place, Recent

# Rows looked at in one read at least, wanted or not (more where a batch is larger): what a subscription to a
# rare type may skip in one step.
SCAN_MAX = 256
EVENT_COLUMNS = (
    "id, type, version, aggregatetype, aggregateid, sequence, payload, occurred_at, recorded_at, client"
)


# What of an event decides whether somebody wants it; the rest is read of those only, and once in a process.
_JUDGED_COLUMNS = "id, type, aggregatetype, aggregateid"


@dataclass(frozen=True, order=True)
class Cursor:
    """A place in the log: everything up to and including it has been read."""

    xid: int = 0
    position: int = 0


@dataclass(frozen=True)
class Found:
    """An event and its place."""

    cursor: Cursor
    event: Event


@dataclass(frozen=True)
class Page:
    """What one read found. Reading goes on behind `end`; `skipped` rows before it are not in `found`."""

    found: tuple[Found, ...]
    end: Cursor
    skipped: int

    def up_to(self, bar: Cursor) -> "Page":
        """Return the page without what lies beyond `bar`."""
        found = tuple(one for one in self.found if one.cursor <= bar)
        return Page(found=found, end=min(self.end, bar), skipped=self.skipped)


def read_page(
    after: Cursor, *, types: Sequence[str] | None, limit: int, subscription_id: int, lane: Lane = ALONE
) -> Page:
    """Read up to `limit` events of `types` (None: all) behind `after`, where nothing can be added any more.

    Leaves out what the inbox of `subscription_id` has, and what is other lanes'.
    """
    parameters: dict[str, Any] = {
        "xid": str(after.xid),
        "position": after.position,
        "every_type": types is None,
        "types": list(types or ()),
        "limit": limit,
        # As many rows for each lane, so that its batches are no smaller than those of one alone.
        "scan": max(limit, SCAN_MAX) * lane.of,
        "subscription": subscription_id,
        "since": oldest_of(after.xid),
        "lane": lane.number,
        "lanes": lane.of,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, parameters)
        rows = cursor.fetchall()
    places = [(int(row[4]), row[5], row[6]) for row in rows if row[3] is not None]
    found = _recent.at(places, fetch=lambda missing: _fetch(missing, since=parameters["since"]))
    return _page(rows, found, after=after, limit=limit)


def page_of(rows: Sequence[Sequence[Any]], *, after: Cursor, limit: int) -> Page:
    """Return the page that a statement found: end and size of the scan, then each event with its place."""
    found = [found_of(row[4:]) for row in rows if row[3] is not None]
    return _page(rows, found, after=after, limit=limit)


def _page(rows: Sequence[Sequence[Any]], found: Sequence[Found], *, after: Cursor, limit: int) -> Page:
    if not rows:
        return Page(found=(), end=after, skipped=0)
    end_xid, end_position, scanned = rows[0][:3]
    if len(found) == limit:
        last_ordinal = rows[-1][3]
        return Page(found=tuple(found), end=found[-1].cursor, skipped=last_ordinal - limit)
    return Page(found=tuple(found), end=Cursor(int(end_xid), end_position), skipped=scanned - len(found))


def history_of(aggregate_type: str, aggregate_id: UUID, *, limit: int) -> list[Event]:
    """Return the first `limit` events of one aggregate in their order, this transaction's own included."""
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, [aggregate_type, aggregate_id, limit])
        return [_event(row) for row in cursor.fetchall()]


def page_statement(
    *, among: str, wanted: str, judged: str = EVENT_COLUMNS, shown: str = EVENT_COLUMNS
) -> str:
    """Return the SQL of a page for `page_of`: up to `scan` events that are `among`, of them `limit` `wanted`.

    The scan is by the index on (xid, position) and bounded before anything else is asked of an event, so that
    no plan can walk the whole log for what hardly ever happens. `scan` names the rows for `wanted`, which has
    of them the columns `judged`; `shown` are answered.
    """
    return f"""
WITH scan AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY xid, position) AS ordinal, xid, position, {judged}
    FROM resilience_event
    WHERE (xid, position) > (%(xid)s::xid8, %(position)s) AND {among}
    ORDER BY xid, position
    LIMIT %(scan)s
),
scan_end AS (
    SELECT xid, position, ordinal AS scanned
    FROM scan
    ORDER BY ordinal DESC
    LIMIT 1
),
wanted AS (
    SELECT *
    FROM scan
    WHERE {wanted}
    ORDER BY ordinal
    LIMIT %(limit)s
)
SELECT
    scan_end.xid, scan_end.position, scan_end.scanned,
    wanted.ordinal, wanted.xid, wanted.position,
    {shown}
FROM scan_end LEFT JOIN wanted ON true
ORDER BY wanted.ordinal
"""  # noqa: S608 - what is put in are constants of the package's modules


# Nothing can be added before them any more. The time leaves out whole days.
SETTLED = """
    xid < pg_snapshot_xmin(pg_current_snapshot())
    AND recorded_at >= coalesce(%(since)s::timestamptz, '-infinity')
"""
_PAGE = page_statement(
    among=SETTLED,
    wanted=f"""
    (%(every_type)s OR type = ANY (%(types)s::text[]))
    AND NOT EXISTS (
        SELECT FROM resilience_inbox WHERE subscription_id = %(subscription)s AND event_id = scan.id
    )
    AND {in_lane("%(lane)s", "%(lanes)s")}
    """,
    judged=_JUDGED_COLUMNS,
    shown="id",
)
_FETCH = f"""
SELECT xid, position, {EVENT_COLUMNS}
FROM resilience_event
JOIN unnest(%(xids)s::text[]::xid8[], %(positions)s::bigint[]) AS place (xid, position) USING (xid, position)
WHERE recorded_at >= coalesce(%(since)s::timestamptz, '-infinity')
"""  # noqa: S608 - the only part put in is a constant of this module
_HISTORY = f"""
SELECT {EVENT_COLUMNS}
FROM resilience_event
WHERE aggregatetype = %s AND aggregateid = %s
ORDER BY sequence
LIMIT %s
"""  # noqa: S608 - the only part put in is a constant of this module


def found_of(row: Sequence[Any]) -> Found:
    """Return an event and its place from `xid, position` and the columns of `EVENT_COLUMNS`."""
    return Found(cursor=Cursor(int(row[0]), row[1]), event=_event(row[2:]))


def _event(row: Sequence[Any]) -> Event:
    id_, type_, version, aggregate_type, aggregate_id, sequence, payload, occurred_at, recorded_at, client = (
        row
    )
    return Event(
        id=id_,
        type=type_,
        version=version,
        aggregate_type=aggregate_type,
        aggregate_id=aggregate_id,
        sequence=sequence,
        data=json.loads(payload),
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        client=client,
    )


def _fetch(places: Sequence[Place], *, since: datetime | None) -> dict[Place, Found]:
    parameters: dict[str, Any] = {
        "xids": [str(place[0]) for place in places],
        "positions": [place[1] for place in places],
        "since": since,
    }
    with connection.cursor() as cursor:
        cursor.execute(_FETCH, parameters)
        return {(int(row[0]), row[1], row[2]): found_of(row) for row in cursor.fetchall()}


# What a process has read does not go into its children: a lock that is copied may be held.
_recent: Recent[Found] = Recent()
os.register_at_fork(after_in_child=_recent.forget)
