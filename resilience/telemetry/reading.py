"""What charts show: a metric over time, in as many points as a chart can show and no more.

Read from the replica where there is one: a chart may be some seconds behind.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from itertools import groupby
from typing import Any

from django.db import connections

from resilience.telemetry.buckets import percentile_s
from resilience.telemetry.declared import Kind

# More points than a wide screen has pixels; of several series together, what a browser draws without a pause.
POINTS_MAX = 1500
SERIES_MAX = 20


class Resolution(Enum):
    """How long the span of a point is, and which table has it."""

    TEN_SECONDS = ("resilience_metric_10s", timedelta(seconds=10))
    MINUTE = ("resilience_metric_minute", timedelta(minutes=1))
    HOUR = ("resilience_metric_hour", timedelta(hours=1))

    @property
    def table(self) -> str:
        """The table of its points."""
        return self.value[0]

    @property
    def span(self) -> timedelta:
        """How long a point lasts."""
        return self.value[1]


class TooManyPointsError(ValueError):
    """The stretch of time is too long for the resolution; take a coarser one, or leave the choice to us."""


@dataclass(frozen=True)
class Point:
    """The span that begins at `at`. `value`: a counter's gain, a gauge's mean or a histogram's count.

    `rate`: `value` a second (counters and histograms). `peak`: a gauge's greatest. `mean_s`: of a histogram.
    """

    at: datetime
    value: float
    rate: float
    peak: float | None
    mean_s: float | None
    buckets: tuple[int, ...] | None


@dataclass(frozen=True)
class SeriesPoints:
    """One series over time; spans in which nothing happened have no point."""

    labels: Mapping[str, str]
    points: Sequence[Point]


@dataclass(frozen=True)
class Percentiles:
    """How long things took in the span that begins at `at`: seconds, by fraction."""

    at: datetime
    count: int
    values_s: Mapping[float, float]


def resolution_for(*, start: datetime, end: datetime) -> Resolution:
    """Return the finest resolution that shows this stretch in `POINTS_MAX` points; else hours."""
    return next(
        (one for one in Resolution if (end - start) / one.span <= POINTS_MAX),
        Resolution.HOUR,
    )


@dataclass(frozen=True)
class Asked:
    """A metric to read: series that have `labels` added up, but for the labels `by`.

    `without` leaves out series by what a label of theirs says.
    """

    metric: str
    labels: Mapping[str, str] = field(default_factory=dict)
    by: Sequence[str] = ()
    without: Mapping[str, Sequence[str]] = field(default_factory=dict)


def several(
    asked: Sequence[Asked],
    *,
    start: datetime,
    end: datetime,
    resolution: Resolution | None = None,
    alias: str = "replica",
) -> list[list[SeriesPoints]]:
    """Return the lines of each metric that is asked for over [start, end), all in one statement.

    At most `SERIES_MAX` lines of each, those with the most. Raises TooManyPointsError.
    """
    chosen = resolution or resolution_for(start=start, end=end)
    if (end - start) / chosen.span > POINTS_MAX:
        raise TooManyPointsError(f"more than {POINTS_MAX} points of {chosen.name}; take a coarser resolution")
    parameters: dict[str, Any] = {
        "asked": json.dumps(
            [
                {
                    "place": place,
                    "metric": one.metric,
                    "labels": dict(one.labels),
                    "by": list(one.by),
                    "without": {label: list(values) for label, values in one.without.items()},
                }
                for place, one in enumerate(asked)
            ]
        ),
        "start": start,
        "end": end,
        "lines_max": SERIES_MAX,
    }
    with connections[alias].cursor() as cursor:
        cursor.execute(_SERIES.format(table=chosen.table), parameters)
        rows = cursor.fetchall()
    found: list[list[SeriesPoints]] = [[] for _one in asked]
    for (place, line), points in groupby(rows, key=lambda row: (row[0], row[1])):
        labels = dict(zip(asked[place].by, line, strict=True))
        told = [_point(kind, facts, chosen.span.total_seconds()) for _place, _line, kind, *facts in points]
        found[place].append(SeriesPoints(labels, told))
    return found


def series(
    *,
    metric: str,
    labels: Mapping[str, str] | None = None,
    by: Sequence[str] = (),
    start: datetime,
    end: datetime,
    resolution: Resolution | None = None,
    alias: str = "replica",
) -> list[SeriesPoints]:
    """Return the lines of one metric (`several`)."""
    asked = Asked(metric, labels or {}, by)
    return several([asked], start=start, end=end, resolution=resolution, alias=alias)[0]


def percentiles(
    *,
    metric: str,
    labels: Mapping[str, str] | None = None,
    start: datetime,
    end: datetime,
    fractions: Sequence[float] = (0.5, 0.95, 0.99),
    resolution: Resolution | None = None,
    alias: str = "replica",
) -> list[Percentiles]:
    """Return percentiles of a histogram over [start, end), of all series that have `labels` taken together.

    Each is right to the width of a bucket (58 %). Raises TooManyPointsError.
    """
    lines = series(metric=metric, labels=labels, start=start, end=end, resolution=resolution, alias=alias)
    return [
        Percentiles(
            point.at,
            int(point.value),
            {fraction: percentile_s(point.buckets, fraction) or 0.0 for fraction in fractions},
        )
        for line in lines
        for point in line.points
        if point.buckets
    ]


def _point(kind: str, facts: Sequence[Any], span_s: float) -> Point:
    at, value, peak, count, total, buckets = facts
    mean = total / count if count else None
    if kind == Kind.GAUGE:
        return Point(at, mean or 0.0, 0.0, peak, None, None)
    shown = value if kind == Kind.COUNTER else count
    return Point(at, shown, shown / span_s, None, mean, tuple(buckets) if buckets else None)


_SERIES = """
WITH asked AS (
    SELECT *
    FROM jsonb_to_recordset(%(asked)s::jsonb) AS one
        (place int, metric text, labels jsonb, by text[], without jsonb)
), wanted AS (
    SELECT asked.place, total.id, total.kind,
           ARRAY(SELECT coalesce(total.labels ->> label, '')
                 FROM unnest(asked.by) WITH ORDINALITY AS given (label, nth) ORDER BY nth) AS line
    FROM asked JOIN resilience_metric_total AS total
        ON total.metric = asked.metric AND total.labels @> asked.labels
    WHERE NOT EXISTS (
        SELECT FROM jsonb_each(asked.without) AS left_out (label, told)
        WHERE left_out.told ? (total.labels ->> left_out.label)
    )
), spans AS MATERIALIZED (
    SELECT place, line, kind, at, sum(value) AS value, max(peak) AS peak, sum(count)::bigint AS count,
           sum(total) AS total, resilience_sum_buckets(buckets) AS buckets
    FROM wanted JOIN {table} AS span ON span.series = wanted.id
    WHERE at >= %(start)s AND at < %(end)s
    GROUP BY place, line, kind, at
), ranked AS (
    SELECT place, line, row_number() OVER (PARTITION BY place ORDER BY sum(value + count) DESC, line) AS rank
    FROM spans
    GROUP BY place, line
)
SELECT place, line, kind, at, value, peak, count, total, buckets
FROM spans JOIN ranked USING (place, line)
WHERE rank <= %(lines_max)s
ORDER BY place, line, at
"""
