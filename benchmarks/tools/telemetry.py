"""What a touch of a metric costs, beside prometheus_client in both of its modes, and what a flush costs.

Touches are timed in CPU of their thread: a machine that does other things as well does not make them dearer.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from statistics import median

from django.db import connection, transaction

from benchmarks.tools.row import Row

_ROUNDS, _ROUNDS_SHORT = 15, 3
_TOUCHES, _TOUCHES_SHORT = 50_000, 2_000
_SERIES = 150
_TOUCH_US_MAX = 2.0
_PEER = """
import time
from statistics import median
from prometheus_client import CollectorRegistry, Counter, Histogram
registry = CollectorRegistry()
calls = Counter("calls", "Calls.", ["gateway", "operation"], registry=registry)
took = Histogram("took", "Took.", ["gateway", "operation"], registry=registry)
def per_touch_us(touch):
    found = []
    for _ in range({rounds}):
        begun_at = time.thread_time()
        for _ in range({touches}):
            touch()
        found.append((time.thread_time() - begun_at) / {touches} * 1e6)
    return median(found)
print(per_touch_us(lambda: calls.labels(gateway="a", operation="b").inc()),
      per_touch_us(lambda: took.labels(gateway="a", operation="b").observe(0.12)))
"""


def measure(*, short: bool) -> list[Row]:
    """Measure ours and the peers one after the other, in the same run."""
    rounds = _ROUNDS_SHORT if short else _ROUNDS
    touches = _TOUCHES_SHORT if short else _TOUCHES
    counter_us, histogram_us = _ours(rounds, touches)
    plain = _peer(rounds, touches, multiprocess=False)
    multi = _peer(rounds, touches, multiprocess=True)
    return [
        _touch_row("counter with two labels", counter_us, plain[0], multi[0]),
        _touch_row("histogram with two labels", histogram_us, plain[1], multi[1]),
        *_flush_rows(rounds),
    ]


def _touch_row(what: str, ours_us: float, plain_us: float, multi_us: float) -> Row:
    return Row(
        claim=f"CPU of a touch of a {what} (median)",
        ours=f"{ours_us:.2f} µs",
        target=f"≤ {_TOUCH_US_MAX:.0f} µs",
        peers=f"prometheus_client {plain_us:.2f} µs, multiprocess {multi_us:.2f} µs",
        holds=ours_us <= _TOUCH_US_MAX,
    )


def _ours(rounds: int, touches: int) -> tuple[float, float]:
    from resilience.telemetry import Kind, Metric, counter, declare, histogram, retract

    metrics = (
        Metric("bench_calls_total", Kind.COUNTER, "calls", "Calls.", ("gateway", "operation")),
        Metric("bench_took_s", Kind.HISTOGRAM, "seconds", "Took.", ("gateway", "operation")),
    )
    declare(*metrics)
    try:
        return (
            _us(lambda: counter("bench_calls_total", gateway="a", operation="b").add(1), rounds, touches),
            _us(lambda: histogram("bench_took_s", gateway="a", operation="b").observe(0.12), rounds, touches),
        )
    finally:
        retract(*metrics)


def _us(touch: Callable[[], None], rounds: int, touches: int) -> float:
    found = []
    for _ in range(rounds):
        begun_at = time.thread_time()
        for _ in range(touches):
            touch()
        found.append((time.thread_time() - begun_at) / touches * 1e6)
    return median(found)


def _peer(rounds: int, touches: int, *, multiprocess: bool) -> tuple[float, float]:
    """Run prometheus_client in a process of its own: its mode is chosen at import."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if "PROMETHEUS" not in name}
        if multiprocess:
            environment["PROMETHEUS_MULTIPROC_DIR"] = folder
        told = subprocess.run(
            [sys.executable, "-c", _PEER.format(rounds=rounds, touches=touches)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    counter_us, histogram_us = map(float, told.stdout.split())
    return counter_us, histogram_us


def _flush_rows(rounds: int) -> list[Row]:
    """Hand on 150 series, a third of them histograms, as one process does every ten seconds."""
    from resilience.telemetry.batch import Batch, Slot
    from resilience.telemetry.buckets import BUCKETS
    from resilience.telemetry.declared import Kind
    from resilience.telemetry.memory import Delta

    deltas = [
        Delta("bench_took_s", (("n", str(n)),), Kind.HISTOGRAM, count=9, total=1.5, buckets=(1,) * BUCKETS)
        if n % 3 == 0
        else Delta("bench_calls_total", (("n", str(n)),), Kind.COUNTER, value=3)
        for n in range(_SERIES)
    ]
    cpu_ms, took_ms = [], []
    # Rolled back: the figures of an installation are its own. So without the wait for the disk of a commit.
    with suppress(_UndoneError), transaction.atomic():
        for sequence in range(1, rounds + 2):
            begun_at, cpu_at = time.perf_counter(), time.thread_time()
            query = Batch("bench", sequence, [Slot(1_700_000_000 + 10 * sequence, deltas)]).query()
            with connection.cursor() as cursor:
                cursor.execute(query.sql, query.parameters)
            cpu_ms.append((time.thread_time() - cpu_at) * 1e3)
            took_ms.append((time.perf_counter() - begun_at) * 1e3)
        raise _UndoneError
    # The first one inserts, as it does once in the life of a series.
    return [
        Row(
            claim=f"handing on {_SERIES} series, a third histograms, every 10 s (median)",
            ours=f"{median(took_ms[1:]):.1f} ms, {median(cpu_ms[1:]):.1f} ms of them CPU of the process",
        )
    ]


class _UndoneError(Exception):
    """So that nothing is kept."""
