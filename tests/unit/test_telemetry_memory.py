"""Counting in memory: declared names only, bounded series, no touch lost, and a fork begins at zero."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from resilience.telemetry import (
    Kind,
    Metric,
    UndeclaredMetricError,
    counter,
    declare,
    declared_metrics,
    gauge,
    histogram,
    memory,
    retract,
)
from resilience.telemetry.buckets import BOUNDS_S, BUCKETS, bucket_of, percentile_s
from tests.architecture.tree import ROOT

APPLES = Metric("test_apples_total", Kind.COUNTER, "apples", "Apples.", labels=("kind", "size"))
PEARS = Metric("test_pears_total", Kind.COUNTER, "pears", "Pears.", labels=("kind",), series_max=3)
DEPTH = Metric("test_depth", Kind.GAUGE, "rows", "Depth.")
CALL_S = Metric("test_call_s", Kind.HISTOGRAM, "seconds", "Calls.", labels=("gateway",))


@pytest.fixture(autouse=True)
def _declared() -> Iterator[None]:
    declare(APPLES, PEARS, DEPTH, CALL_S)
    memory.take()
    yield
    for shelf in (memory.counters, memory.gauges, memory.histograms):
        for name, labels in [key for key in shelf.series if key[0].startswith("test_")]:
            del shelf.series[name, labels]
            shelf.sizes.pop(name, None)
        for called in [called for called in shelf.called if str(called[0]).startswith("test_")]:
            del shelf.called[called]
    retract(APPLES, PEARS, DEPTH, CALL_S)


def _taken() -> dict[tuple[str, ...], memory.Delta]:
    return {
        (delta.metric, *(value for _label, value in delta.labels)): delta
        for delta in memory.take()
        if delta.metric.startswith("test_")
    }


def test_what_was_counted_is_taken_once():
    counter("test_apples_total", kind="red", size=1).add()
    counter("test_apples_total", kind="red", size=1).add(2)
    counter("test_apples_total", size=1, kind="red").add(4)
    histogram("test_call_s", gateway="a").observe(0.12)
    gauge("test_depth").set(3)
    gauge("test_depth").set(2)

    taken = _taken()

    assert {key: delta.value for key, delta in taken.items() if delta.kind is not Kind.HISTOGRAM} == {
        ("test_apples_total", "red", "1"): 7,
        ("test_depth",): 2,
    }
    call = taken["test_call_s", "a"]
    assert (call.count, call.total, sum(call.buckets)) == (1, 0.12, 1)
    assert call.buckets[bucket_of(0.12)] == 1
    assert _taken() == {}


@pytest.mark.parametrize(
    "touch",
    [
        lambda: counter("test_unknown_total"),
        lambda: counter("test_apples_total"),
        lambda: counter("test_apples_total", kind="red"),
        lambda: counter("test_apples_total", kind="red", size=1, order="17"),
        lambda: counter("test_depth"),
        lambda: histogram("test_apples_total", kind="red", size=1),
        lambda: gauge("test_call_s", gateway="a"),
    ],
)
def test_what_nobody_declared_so_is_a_bug(touch):
    with pytest.raises(UndeclaredMetricError):
        touch()


def test_in_production_an_undeclared_metric_stops_nothing(settings, caplog):
    settings.PRODUCTION = True

    counter("test_nowhere_total").add(1)
    counter("test_nowhere_total").add(1)

    assert [record.message for record in caplog.records] == [
        "A metric is used otherwise than it is declared."
    ]
    assert _taken() == {}


def test_a_tool_that_is_used_without_django_counts_nowhere():
    script = (
        "from resilience.telemetry import counter, memory\n"
        "counter('nobody_total').add(1)\n"
        "print(memory.take())\n"
    )

    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert told.stdout == "[]\n"


def test_series_beyond_the_bound_are_counted_together():
    for number in range(50):
        counter("test_pears_total", kind=f"kind {number}").add(1)

    assert {key: delta.value for key, delta in _taken().items()} == {
        ("test_pears_total", "kind 0"): 1,
        ("test_pears_total", "kind 1"): 1,
        ("test_pears_total", "kind 2"): 1,
        ("test_pears_total", "other"): 47,
    }
    assert len(memory.counters.called) <= 4 * len(memory.counters.series)


def test_a_long_label_is_cut():
    counter("test_pears_total", kind="k" * 1000).add(1)

    assert list(_taken()) == [("test_pears_total", "k" * memory.LABEL_CHARACTERS_MAX)]


def test_no_touch_of_many_threads_is_lost_while_others_take():
    threads, touches = 8, 5_000
    seen: list[memory.Delta] = []
    is_over = threading.Event()
    barrier = threading.Barrier(threads)

    def take() -> None:
        while not is_over.is_set():
            seen.extend(memory.take())

    def touch(_number: int) -> None:
        barrier.wait(10)
        for _ in range(touches):
            counter("test_apples_total", kind="red", size=1).add(1)
            histogram("test_call_s", gateway="a").observe(0.5)

    taker = threading.Thread(target=take)
    taker.start()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(touch, range(threads)))
    is_over.set()
    taker.join()
    seen.extend(memory.take())

    assert sum(delta.value for delta in seen if delta.metric == "test_apples_total") == threads * touches
    assert sum(delta.count for delta in seen if delta.metric == "test_call_s") == threads * touches


def test_a_forked_child_begins_at_zero_even_while_a_lock_is_held():
    apples = counter("test_apples_total", kind="red", size=1)
    apples.add(5)
    reader, writer = os.pipe()

    with apples._lock, memory.counters.lock:
        child = os.fork()
        if not child:
            apples.add(1)
            counter("test_apples_total", kind="green", size=1).add(2)
            os.write(writer, repr({key: delta.value for key, delta in _taken().items()}).encode())
            os._exit(0)
    os.waitpid(child, 0)

    assert eval(os.read(reader, 10_000)) == {
        ("test_apples_total", "red", "1"): 1,
        ("test_apples_total", "green", "1"): 2,
    }
    assert _taken()["test_apples_total", "red", "1"].value == 5


@pytest.mark.parametrize(
    ("metric", "fault"),
    [
        (("apples", Kind.COUNTER, "apples", "Apples."), "a counter"),
        (("depth_total", Kind.GAUGE, "rows", "Depth."), "a counter"),
        (("call_ms", Kind.HISTOGRAM, "milliseconds", "Calls."), "a histogram"),
        (("depth", Kind.GAUGE, "rows", ""), "not said"),
        (("Depth", Kind.GAUGE, "rows", "Depth."), "no name"),
    ],
)
def test_a_declaration_says_what_it_must(metric, fault):
    with pytest.raises(ValueError, match=fault):
        Metric(*metric)


def test_a_metric_is_declared_once():
    with pytest.raises(ValueError, match="twice"):
        declare(APPLES)
    assert APPLES in declared_metrics()


def test_a_duration_falls_into_the_bucket_that_ends_with_it():
    assert BUCKETS == 27
    assert BOUNDS_S[0] == 0.001
    assert BOUNDS_S[-1] == 100.0
    assert [bucket_of(bound) for bound in BOUNDS_S] == list(range(26))
    assert (bucket_of(0.0), bucket_of(0.0011), bucket_of(100.1), bucket_of(1e9)) == (0, 1, 26, 26)


def test_a_percentile_is_read_from_its_bucket():
    buckets = [0] * BUCKETS
    buckets[bucket_of(0.12)] = 90
    buckets[bucket_of(3.0)] = 10

    assert percentile_s(buckets, 0.5) == pytest.approx(0.1 + 0.058 * 50 / 90)
    assert percentile_s(buckets, 0.9) == pytest.approx(0.158)
    assert percentile_s(buckets, 0.95) == pytest.approx(2.51 + 1.47 / 2)
    assert percentile_s([0] * BUCKETS, 0.5) is None
    assert percentile_s([0] * (BUCKETS - 1) + [1], 0.5) == 100.0
