"""A fact's body as JSON: UUIDs as text, times as RFC 3339 in UTC, nested dataclasses as objects."""

import dataclasses
import json
from datetime import UTC, date, datetime
from uuid import UUID


def to_json(value: object) -> str:
    """Return `value` as JSON text.

    Raises TypeError for what has no exact form in JSON, ValueError for a time without zone or NaN.
    """
    return json.dumps(value, default=_plain, separators=(",", ":"), allow_nan=False)


def rfc3339(time: datetime) -> str:
    """Return `time` in UTC with a `Z`, to the microsecond; raises ValueError when it has no zone."""
    if time.tzinfo is None:
        raise ValueError(f"{time.isoformat()} has no time zone")
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _plain(value: object) -> object:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return rfc3339(value)
        case date():
            return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no form in an event's payload")
