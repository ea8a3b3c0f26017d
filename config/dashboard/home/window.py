"""The stretch of time that the home page shows, and the one before it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from resilience.telemetry.reading import Resolution


@dataclass(frozen=True)
class Span:
    """How much is shown, and how long each point of a chart lasts."""

    name: str
    title: str
    length: timedelta
    resolution: Resolution


SPANS = {
    span.name: span
    for span in (
        Span("15m", "15 min", timedelta(minutes=15), Resolution.TEN_SECONDS),
        Span("1h", "1 hour", timedelta(hours=1), Resolution.TEN_SECONDS),
        Span("24h", "24 hours", timedelta(hours=24), Resolution.MINUTE),
    )
}
DEFAULT = "15m"


@dataclass(frozen=True)
class Window:
    """[start, end) in steps of `step`; `before` begins as much earlier, for the comparison."""

    start: datetime
    end: datetime
    resolution: Resolution

    @classmethod
    def ending(cls, now: datetime, span: Span) -> "Window":
        """Return the last `span` up to `now`."""
        return cls(now - span.length, now, span.resolution)

    @property
    def before(self) -> datetime:
        """When the stretch began that this one is compared with."""
        return self.start - (self.end - self.start)

    @property
    def step(self) -> timedelta:
        """How long one point lasts."""
        return self.resolution.span
