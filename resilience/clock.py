"""The wall clock, asked at the entrances only; everything below them takes the time as an argument."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time as an aware UTC datetime."""
    return datetime.now(UTC)
