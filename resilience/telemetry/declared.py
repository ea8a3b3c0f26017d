"""What may be measured: each metric is declared once, with its labels and what it means.

An undeclared name would be a chart that nobody finds, and a label that somebody made up on the way would
be a series for each order: so both are bugs, raised wherever the platform is not in production.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

# Labelled alike, series beyond this are counted together under `OTHER`. Halved, a shop with some gateways
# and many operations would lose some; doubled, so would be what a flush and a scrape cost at worst.
SERIES_MAX = 100
OTHER = "other"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Kind(StrEnum):
    """How values come together over processes and time."""

    COUNTER = "counter"  # they add up
    GAUGE = "gauge"  # the last one holds
    HISTOGRAM = "histogram"  # buckets add up


class UndeclaredMetricError(Exception):
    """A metric was used that nobody declared, or otherwise than it was declared: a bug."""


@dataclass(frozen=True)
class Metric:
    """One declared metric. `unit` is that of its values; histograms measure seconds (`_s`).

    `series_max` bounds how many combinations of label values are told apart, in each process.
    """

    name: str
    kind: Kind
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    series_max: int = SERIES_MAX

    def __post_init__(self) -> None:
        for name in (self.name, *self.labels):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a metric or label: letters, digits and _ only")
        if (self.kind is Kind.COUNTER) != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: a counter, and nothing else, ends with _total")
        if self.kind is Kind.HISTOGRAM and not (self.name.endswith("_s") and self.unit == "seconds"):
            raise ValueError(f"{self.name}: a histogram measures seconds, and its name ends with _s")
        if not self.help:
            raise ValueError(f"{self.name}: it is not said what it means")


_declared: dict[str, Metric] = {}


def declare(*metrics: Metric) -> None:
    """Make `metrics` known, at import of an app's `metrics.py`. Raises ValueError if one is known already."""
    for metric in metrics:
        if metric.name in _declared:
            raise ValueError(f"{metric.name} is declared twice")
        _declared[metric.name] = metric


def retract(*metrics: Metric) -> None:
    """Forget `metrics`; for tests that declared them."""
    for metric in metrics:
        del _declared[metric.name]


def declared_metrics() -> Sequence[Metric]:
    """Return every declared metric, by name."""
    return [metric for _name, metric in sorted(_declared.items())]


def metric_of(name: str, kind: Kind, labels: Sequence[str]) -> Metric:
    """Return the declaration of `name`. Raises UndeclaredMetricError unless kind and labels agree."""
    metric = _declared.get(name)
    if metric is None:
        raise UndeclaredMetricError(f"no metric is called {name!r}; declare it in the metrics.py of its app")
    if metric.kind is not kind:
        raise UndeclaredMetricError(f"{name} is a {metric.kind}, and was used as a {kind}")
    if set(labels) != set(metric.labels):
        raise UndeclaredMetricError(
            f"{name} has the labels {metric.labels}, and was used with {tuple(labels)}"
        )
    return metric
