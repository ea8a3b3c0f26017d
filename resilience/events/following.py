"""Reading the log without a subscription: whoever keeps the place himself, as the feed and the lake do."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from resilience.events.days import oldest_of
from resilience.events.reading import EVENT_COLUMNS, SCAN_MAX, Cursor, Page, page_of


def read_after(
    after: Cursor, *, limit: int, types: Sequence[str] | None = None, client: str | None = None
) -> Page:
    """Return up to `limit` events behind `after`, of `types` and of `client` (None: all), in the log's order.

    Only where nothing can be added any more, so no later page has anything that belongs before `page.end`.
    Looks at a bounded number of rows: a page may be empty though more follows, if its `end` has moved.
    Reads the primary: what a replica has not replayed would lie before its reader's cursor for ever.
    """
    parameters: dict[str, Any] = {
        "xid": str(after.xid),
        "position": after.position,
        "types": None if types is None else list(types),
        "client": client,
        "limit": limit,
        "scan": max(limit, SCAN_MAX),
        "since": oldest_of(after.xid),
    }
    with connection.cursor() as cursor:
        cursor.execute(_AFTER, parameters)
        return page_of(cursor.fetchall(), after=after, limit=limit)


_AFTER = f"""
WITH scan AS MATERIALIZED (
    SELECT row_number() OVER (ORDER BY xid, position) AS ordinal, xid, position, {EVENT_COLUMNS}
    FROM resilience_event
    WHERE (xid, position) > (%(xid)s::xid8, %(position)s)
      AND xid < pg_snapshot_xmin(pg_current_snapshot())
      AND recorded_at >= coalesce(%(since)s::timestamptz, '-infinity')
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
    WHERE (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
      AND (%(client)s::text IS NULL OR client = %(client)s)
    ORDER BY ordinal
    LIMIT %(limit)s
)
SELECT
    scan_end.xid, scan_end.position, scan_end.scanned,
    wanted.ordinal, wanted.xid, wanted.position,
    {EVENT_COLUMNS}
FROM scan_end LEFT JOIN wanted ON true
ORDER BY wanted.ordinal
"""  # noqa: S608 - the only part put in is a constant of resilience.events.reading
