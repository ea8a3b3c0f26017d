"""Telemetry: what happened how often and how long it took, counted in memory, kept in PostgreSQL.

The danger: a counter that is sent on each use costs more than what it counts, and one that lives in a process
dies with it. So a touch costs a microsecond, the pulse hands on what was counted every ten seconds, and
charts and `/metrics` read one table, right over all processes (docs/telemetry.md).
"""

from resilience.telemetry import trace
from resilience.telemetry.declared import (
    Kind,
    Metric,
    UndeclaredMetricError,
    declare,
    declared_metrics,
    retract,
)
from resilience.telemetry.flusher import begin, flush
from resilience.telemetry.sampling import Sample, begin_sampling, sample
from resilience.telemetry.touch import counter, gauge, histogram

__all__ = [
    "Kind",
    "Metric",
    "Sample",
    "UndeclaredMetricError",
    "begin",
    "begin_sampling",
    "counter",
    "declare",
    "declared_metrics",
    "flush",
    "gauge",
    "histogram",
    "retract",
    "sample",
    "trace",
]
