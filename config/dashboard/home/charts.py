"""The charts of the home page: what each asks the roll-ups for, and how that becomes lines. Pure.

All lines of a page share one grid of moments, so that a mark at 12:01 is at the same place on each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor

from resilience.telemetry.buckets import percentile_s
from resilience.telemetry.reading import Asked, Point, SeriesPoints

Values = list[float | None]
# What was counted within this time may not be there yet: processes hand on what they have every ten seconds,
# and minutes are made of it once a minute. A chart that ends there shows no dip.
_LATE, _LATE_MINUTES = timedelta(seconds=20), timedelta(minutes=2)
FRACTIONS = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Grid:
    """`count` moments from `start`, `step` apart."""

    start: datetime
    step: timedelta
    count: int

    @classmethod
    def of(cls, start: datetime, end: datetime, step: timedelta) -> "Grid":
        """Return the moments in [start, end) that are whole multiples of `step` and can be known by now."""
        late = _LATE if step < timedelta(minutes=1) else _LATE_MINUTES
        first = datetime.fromtimestamp(
            ceil(start.timestamp() / step.total_seconds()) * step.total_seconds(), start.tzinfo
        )
        return cls(first, step, max(0, int((end - late - first) / step)))

    def place(self, values: Mapping[datetime, float], *, missing: float | None) -> Values:
        """Return the value of each moment; `missing` where there is none."""
        return [values.get(self.start + number * self.step, missing) for number in range(self.count)]


@dataclass(frozen=True)
class Line:
    """One line of a chart, on the page's grid. A None is a gap: nothing is known of that moment."""

    label: str
    values: Values


Draw = Callable[[Sequence[list[SeriesPoints]], Grid], list[Line]]


@dataclass(frozen=True)
class Chart:
    """What it shows in `unit`, and `draw`: the lines from what was read of each metric asked for."""

    name: str
    title: str
    unit: str
    asked: tuple[Asked, ...]
    draw: Draw
    is_stacked: bool = False


def per_minute(*, words: Mapping[str, str] | None = None) -> Draw:
    """Draw how often something happened, a line for each value of the label; nothing is 0."""

    def draw(found: Sequence[list[SeriesPoints]], grid: Grid) -> list[Line]:
        minutes = grid.step / timedelta(minutes=1)
        return [
            Line(
                _label(one, words or {}),
                grid.place({point.at: round(point.value / minutes, 2) for point in one.points}, missing=0.0),
            )
            for one in found[0]
        ]

    return draw


def percentile_lines(found: Sequence[list[SeriesPoints]], grid: Grid) -> list[Line]:
    """Draw p50, p95 and p99 of a histogram, in seconds."""
    measured = {point.at: point.buckets for one in found[0] for point in one.points if point.buckets}
    if not measured:
        return []
    return [
        Line(
            name,
            grid.place(
                {at: _rounded(percentile_s(buckets, fraction)) for at, buckets in measured.items()},
                missing=None,
            ),
        )
        for name, fraction in FRACTIONS.items()
    ]


def peaks(*labels: str) -> Draw:
    """Draw gauges by their greatest value, a line for each metric or for each value of its label."""

    def draw(found: Sequence[list[SeriesPoints]], grid: Grid) -> list[Line]:
        return [
            Line(_label(one, {"": label}), grid.place(_peaks(one.points), missing=None))
            for label, lines in zip(labels, found, strict=True)
            for one in lines
        ]

    return draw


def share(*, of: frozenset[str], label: str) -> Draw:
    """Draw how much of everything the label's values `of` are, in per cent."""

    def draw(found: Sequence[list[SeriesPoints]], grid: Grid) -> list[Line]:
        total: dict[datetime, float] = {}
        wanted: dict[datetime, float] = {}
        for one in found[0]:
            for point in one.points:
                total[point.at] = total.get(point.at, 0.0) + point.value
                if of & set(one.labels.values()):
                    wanted[point.at] = wanted.get(point.at, 0.0) + point.value
        # Rounded down: one failure in ten thousand is not none.
        shares = {at: floor(1000 * wanted.get(at, 0.0) / all_) / 10 for at, all_ in total.items() if all_}
        return [Line(label, grid.place(shares, missing=None))] if shares else []

    return draw


def _label(one: SeriesPoints, words: Mapping[str, str]) -> str:
    value = " ".join(one.labels.values())
    return words.get(value, value.replace("_", " "))


def _peaks(points: Sequence[Point]) -> dict[datetime, float]:
    return {point.at: _rounded(point.peak) for point in points if point.peak is not None}


def _rounded(value: float | None) -> float:
    return float(f"{value or 0.0:.4g}")


SETTLED = {"completed": "confirmed", "compensated": "cancelled"}
CHARTS = (
    Chart(
        "orders",
        "Orders settled",
        "per minute",
        (Asked("saga_settle_s", {"definition": "place_order"}, ("outcome",)),),
        per_minute(words=SETTLED),
        is_stacked=True,
    ),
    Chart(
        "settle",
        "Time to settle",
        "s",
        (Asked("saga_settle_s", {"definition": "place_order"}),),
        percentile_lines,
    ),
    Chart("gateway", "Gateway answers within", "s", (Asked("gateway_call_s"),), percentile_lines),
    Chart(
        "calls",
        "Gateway calls by outcome",
        "per minute",
        (Asked("gateway_call_s", by=("outcome",)),),
        per_minute(),
        is_stacked=True,
    ),
    Chart(
        "waits",
        "Steps tried again",
        "per minute",
        (Asked("saga_wait_s", by=("outcome",)),),
        per_minute(),
        is_stacked=True,
    ),
    Chart(
        "ages",
        "Oldest that waits",
        "s",
        (Asked("saga_oldest_due_s"), Asked("payments_in_doubt_oldest_s"), Asked("subscription_lag_s")),
        peaks("saga due", "payment in doubt", "event"),
    ),
    Chart("lag", "Replica lag", "s", (Asked("replica_lag_s"),), peaks("replica")),
    Chart(
        "cache",
        "Answered from the cache",
        "%",
        (Asked("cache_reads_total", by=("outcome",)),),
        share(of=frozenset({"fresh", "early", "stale", "refreshing"}), label="hits"),
    ),
)
