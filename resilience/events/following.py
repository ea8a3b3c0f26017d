"""Reading the log without a subscription: whoever keeps the place himself, as the feed and the lake do."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from resilience.events.days import oldest_of
from resilience.events.reading import SCAN_MAX, SETTLED, Cursor, Page, page_of, page_statement


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


def latest() -> Cursor:
    """Return the place behind everything that can be read by now: what comes later comes after it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())")
        return Cursor(xid=int(cursor.fetchone()[0]) - 1, position=_POSITION_MAX)


_POSITION_MAX = 2**63 - 1
_AFTER = page_statement(
    among=SETTLED,
    wanted="""
    (%(types)s::text[] IS NULL OR type = ANY (%(types)s::text[]))
    AND (%(client)s::text IS NULL OR client = %(client)s)
    """,
)
