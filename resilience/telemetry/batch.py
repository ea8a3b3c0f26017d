"""What a process hands on: slots of ten seconds, in one statement that counts once however often it is sent.

The danger: the commit came through and its answer did not. Sent again, everything would count twice. So
each batch has a number, and the statement does nothing unless it is the next of its process.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from resilience.pulse import Query
from resilience.telemetry.declared import Kind
from resilience.telemetry.memory import Delta, Labels

SLOT_S = 10


@dataclass(frozen=True)
class Slot:
    """What was counted in the ten seconds that begin at `at` (seconds since 1970)."""

    at: int
    deltas: Sequence[Delta]


@dataclass(frozen=True)
class Batch:
    """Slots that are handed on together, as the `sequence`-th batch of `process`."""

    process: str
    sequence: int
    slots: Sequence[Slot]

    def query(self) -> Query:
        """Return the statement that adds this batch to what the database has, unless it has it already."""
        gains = merged(delta for slot in self.slots for delta in slot.deltas)
        totals = json.dumps([_total_row(gain) for gain in gains], separators=(",", ":"))
        spans = json.dumps(
            [_span_row(at, delta) for at, deltas in self._by_time() for delta in merged(deltas)],
            separators=(",", ":"),
        )
        return Query(_ADD, (self.process, self.sequence, totals, spans))

    def _by_time(self) -> Iterable[tuple[int, list[Delta]]]:
        """A slot that was closed early has another part of the same time."""
        times: dict[int, list[Delta]] = defaultdict(list)
        for slot in self.slots:
            times[slot.at] += slot.deltas
        return times.items()


def merged(deltas: Iterable[Delta]) -> list[Delta]:
    """Return one delta for each series: the later one of a gauge, else their sum."""
    found: dict[tuple[str, Labels], Delta] = {}
    for delta in deltas:
        key = (delta.metric, delta.labels)
        found[key] = _together(found[key], delta) if key in found else delta
    return list(found.values())


def writable(deltas: Iterable[Delta]) -> list[Delta]:
    """Leave out what is no number: PostgreSQL would refuse it, and everything that came with it."""
    return [delta for delta in deltas if math.isfinite(delta.value) and math.isfinite(delta.total)]


def _together(one: Delta, other: Delta) -> Delta:
    match one.kind:
        case Kind.GAUGE:
            return max(one, other, key=lambda delta: delta.at)
        case Kind.COUNTER:
            return replace(one, value=one.value + other.value)
        case Kind.HISTOGRAM:
            return replace(
                one,
                count=one.count + other.count,
                total=one.total + other.total,
                buckets=tuple(map(sum, zip(one.buckets, other.buckets, strict=True))),
            )


def _row(delta: Delta) -> dict[str, Any]:
    return {
        "metric": delta.metric,
        "labels": dict(delta.labels),
        "kind": delta.kind,
        "value": delta.value,
        "count": delta.count,
        "total": delta.total,
        "buckets": delta.buckets or None,
    }


def _total_row(delta: Delta) -> dict[str, Any]:
    return {**_row(delta), "at": _text(delta.at) if delta.kind is Kind.GAUGE else None}


def _span_row(at: int, delta: Delta) -> dict[str, Any]:
    row = {**_row(delta), "at": _text(at)}
    if delta.kind is not Kind.GAUGE:
        return row
    # As one observation, so that spans of gauges add up to their mean as all others do.
    return {**row, "value": 0, "count": 1, "total": delta.value, "peak": delta.value}


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


# Rows are taken in one order, so that processes that write at once wait for one another and do not lock up.
_ADD = """
WITH turn AS (
    INSERT INTO resilience_metric_writer AS writer (process, sequence, at)
    VALUES (%s, %s, clock_timestamp())
    ON CONFLICT (process) DO UPDATE SET sequence = excluded.sequence, at = excluded.at
        WHERE writer.sequence < excluded.sequence
    RETURNING sequence
), series AS (
    INSERT INTO resilience_metric_total AS known (metric, labels, kind, value, count, total, buckets, at)
    SELECT gain.metric, gain.labels, gain.kind, gain.value, gain.count, gain.total, gain.buckets,
           coalesce(gain.at, clock_timestamp())
    FROM turn, json_to_recordset(%s) AS gain (
        metric text, labels jsonb, kind text, value float8, count bigint, total float8, buckets bigint[],
        at timestamptz
    )
    ORDER BY gain.metric, gain.labels
    ON CONFLICT (metric, labels) DO UPDATE SET
        kind = excluded.kind,
        value = CASE WHEN excluded.kind <> 'gauge' THEN known.value + excluded.value
                     WHEN excluded.at >= known.at THEN excluded.value ELSE known.value END,
        count = known.count + excluded.count,
        total = known.total + excluded.total,
        buckets = resilience_add_buckets(known.buckets, excluded.buckets),
        at = greatest(known.at, excluded.at)
    RETURNING id, metric, labels
)
INSERT INTO resilience_metric_10s AS known (series, at, value, peak, count, total, buckets)
SELECT series.id, span.at, span.value, span.peak, span.count, span.total, span.buckets
FROM series JOIN json_to_recordset(%s) AS span (
    metric text, labels jsonb, value float8, peak float8, count bigint, total float8, buckets bigint[],
    at timestamptz
) USING (metric, labels)
ORDER BY series.id, span.at
ON CONFLICT (series, at) DO UPDATE SET
    value = known.value + excluded.value,
    peak = greatest(known.peak, excluded.peak),
    count = known.count + excluded.count,
    total = known.total + excluded.total,
    buckets = resilience_add_buckets(known.buckets, excluded.buckets)
"""
