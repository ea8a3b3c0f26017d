"""What this process counted and has not handed on yet, in plain memory.

The danger: a metric is touched some hundred times for an order, from many threads, in processes that fork.
So a touch is one look-up and one addition under a lock of its own; nothing is formatted, sent or waited for.
"""

import os
import threading
import time
from collections import Counter as Counted
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from resilience.telemetry.buckets import BUCKETS, bucket_of
from resilience.telemetry.declared import OTHER, Kind, Metric, metric_of

# A label's value is a name, never a text: whatever is longer is cut.
LABEL_CHARACTERS_MAX = 60

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Delta:
    """What one series gained since it was last taken.

    `value`: what a counter gained, or where a gauge stands. `count`, `total` and `buckets`: observations.
    `at`: when a gauge was set (seconds since 1970).
    """

    metric: str
    labels: Labels
    kind: Kind
    value: float = 0.0
    count: int = 0
    total: float = 0.0
    at: float = 0.0
    buckets: tuple[int, ...] = ()


class Counter:
    """One series that only grows."""

    __slots__ = ("_lock", "_value")

    def __init__(self) -> None:
        self.reset()

    def add(self, amount: float = 1) -> None:
        """Count `amount` more; never less than nothing."""
        with self._lock:
            self._value += amount

    def reset(self) -> None:
        """Begin at zero, with a lock that nobody holds."""
        self._lock = threading.Lock()
        self._value: float = 0

    def take(self, metric: str, labels: Labels) -> Delta | None:
        """Return what was counted since the last time, and forget it."""
        with self._lock:
            value, self._value = self._value, 0
        return Delta(metric, labels, Kind.COUNTER, value=value) if value else None


class Gauge:
    """One series that stands somewhere: a fact of the whole fleet, of which the last word holds."""

    __slots__ = ("_lock", "_set")
    _set: tuple[float, float] | None

    def __init__(self) -> None:
        self.reset()

    def set(self, value: float) -> None:
        """Say where it stands now."""
        with self._lock:
            self._set = (value, time.time())

    def reset(self) -> None:
        """Say nothing, with a lock that nobody holds."""
        self._lock = threading.Lock()
        self._set = None

    def take(self, metric: str, labels: Labels) -> Delta | None:
        """Return where it stands, if that was said since the last time."""
        with self._lock:
            found, self._set = self._set, None
        return None if found is None else Delta(metric, labels, Kind.GAUGE, value=found[0], at=found[1])


class Histogram:
    """One series of durations."""

    __slots__ = ("_buckets", "_lock", "_total")

    def __init__(self) -> None:
        self.reset()

    def observe(self, seconds: float) -> None:
        """Note that something took `seconds`."""
        bucket = bucket_of(seconds)
        with self._lock:
            self._buckets[bucket] += 1
            self._total += seconds

    def reset(self) -> None:
        """Begin empty, with a lock that nobody holds."""
        self._lock = threading.Lock()
        self._buckets = [0] * BUCKETS
        self._total = 0.0

    def take(self, metric: str, labels: Labels) -> Delta | None:
        """Return what was observed since the last time, and forget it."""
        with self._lock:
            buckets, total = tuple(self._buckets), self._total
            self._buckets, self._total = [0] * BUCKETS, 0.0
        count = sum(buckets)
        if not count:
            return None
        return Delta(metric, labels, Kind.HISTOGRAM, count=count, total=total, buckets=buckets)


class Series(Protocol):
    """What the three kinds have in common."""

    def reset(self) -> None:
        """Begin anew."""

    def take(self, metric: str, labels: Labels) -> Delta | None:
        """Return what is new, and forget it."""


S = TypeVar("S", Counter, Gauge, Histogram)
# As a caller names a series: its metric, and its labels in whatever order they were given.
Called = tuple[object, ...]


@dataclass(eq=False)
class Shelf(Generic[S]):
    """All series of one kind. `called` is what the fast path looks up."""

    kind: Kind
    make: type[S]
    called: dict[Called, S] = field(default_factory=dict)
    series: dict[tuple[str, Labels], S] = field(default_factory=dict)
    sizes: Counted[str] = field(default_factory=Counted)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, called: Called, name: str, labels: dict[str, object]) -> S:
        """Return the series on its first use. Raises UndeclaredMetricError."""
        metric = metric_of(name, self.kind, tuple(labels))
        with self.lock:
            known = tuple((label, _text(labels[label])) for label in metric.labels)
            series = self.series.get((name, known))
            if series is None:
                if self.sizes[name] >= metric.series_max:
                    return self._of_others(metric)
                self.sizes[name] += 1
                series = self.series[name, known] = self.make()
            self._remember(called, series)
            return series

    def take(self) -> Iterator[Delta]:
        """Take what is new of every series."""
        with self.lock:
            found = list(self.series.items())
        for (name, labels), series in found:
            delta = series.take(name, labels)
            if delta is not None:
                yield delta

    def reset(self) -> None:
        """Begin anew in a forked child, in which whoever held a lock does not live."""
        self.lock = threading.Lock()
        for series in self.series.values():
            series.reset()

    def _of_others(self, metric: Metric) -> S:
        """Not remembered under the name it was called by: those may be without end."""
        others = tuple((label, OTHER) for label in metric.labels)
        return self.series.setdefault((metric.name, others), self.make())

    def _remember(self, called: Called, series: S) -> None:
        # Orders of labels, and 1 beside "1", are other names of the same series.
        if len(self.called) < 4 * len(self.series):
            self.called[called] = series


def _text(value: object) -> str:
    """Return a label's value as PostgreSQL takes it."""
    return str(value)[:LABEL_CHARACTERS_MAX].replace("\x00", "").encode(errors="replace").decode()


counters = Shelf(Kind.COUNTER, Counter)
gauges = Shelf(Kind.GAUGE, Gauge)
histograms = Shelf(Kind.HISTOGRAM, Histogram)
_SHELVES = (counters, gauges, histograms)


def take() -> list[Delta]:
    """Return what this process counted since the last time, and forget it."""
    return [delta for shelf in _SHELVES for delta in shelf.take()]


def _begin_anew() -> None:
    for shelf in _SHELVES:
        shelf.reset()


os.register_at_fork(after_in_child=_begin_anew)
