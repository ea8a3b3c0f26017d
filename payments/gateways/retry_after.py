"""What a gateway's `Retry-After` says (RFC 9110, 10.2.3): seconds, or a date."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# A wait longer than this is a mistake of theirs: we would rather ask once too often.
RETRY_AFTER_S_MAX = 3600.0


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return the wait in seconds, None where none is named that can be read."""
    written = headers.get("Retry-After", "").strip()
    if written.isascii() and written.isdigit():
        return min(float(written), RETRY_AFTER_S_MAX)
    try:
        at = parsedate_to_datetime(written)
    except ValueError:
        return None
    wait_s = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(wait_s, RETRY_AFTER_S_MAX) if wait_s > 0 else None
