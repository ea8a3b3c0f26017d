"""RFC 3339 times, with their zone, and nothing looser."""

import re
from datetime import UTC, datetime

# Upper case T and Z, zone required, at most microseconds: what PostgreSQL gives back unchanged.
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
TIMESTAMP_HELP = "Send an RFC 3339 time with its zone, like 2026-01-31T09:30:00Z."


def parse_timestamp(text: str) -> datetime:
    """Return the time in UTC; raises ValueError when `text` is not an RFC 3339 time with a zone."""
    if _RFC3339.fullmatch(text) is None:
        raise ValueError(TIMESTAMP_HELP)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(TIMESTAMP_HELP) from error


def timestamp(moment: datetime | None) -> str | None:
    """Return a time as the API writes it: RFC 3339 in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
