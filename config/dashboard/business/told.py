"""Until when the lake is told, and what an empty report means. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from analytics.reports.answering import Asked

# The exporter writes a batch each ten seconds, and a report is kept for half a minute.
_LATE = timedelta(minutes=10)
NO_LAKE = (
    "The lake has no events yet: is the exporter running? `make run` starts it; "
    "`manage.py lake status` tells how many events wait."
)


@dataclass(frozen=True)
class Told:
    """`text` is the moment, `age` how long ago that is; `is_old` where a running exporter would know more."""

    text: str
    age: str
    is_old: bool


def told_of(told_until: str | None, *, zone: str, now: datetime) -> Told | None:
    """Return until when the lake is told; None: of nothing at all."""
    if told_until is None:
        return None
    at = datetime.fromisoformat(told_until)
    age = max(now - at, timedelta())
    return Told(f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S} {zone}", _age(age), age > _LATE)


def empty_of(asked: Asked, told: Told | None) -> str:
    """Return what to do about a report that has nothing to show."""
    if told is None:
        return NO_LAKE
    what = f" in {asked.currency}" if asked.currency else ""
    return (
        f"Nothing{what} from {asked.first} to {asked.last}. Choose other days"
        f"{' or all currencies' if asked.currency else ''}; the lake is told until {told.text}."
    )


def _age(age: timedelta) -> str:
    minutes = age // timedelta(minutes=1)
    if minutes < 2:
        return f"{age // timedelta(seconds=1)} s"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
