"""What is counted reaches PostgreSQL once, whatever happens on the way, and can be read over time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection, connections

from resilience.clock import now as clock_now
from resilience.ids import new_id
from resilience.pulse import Query, process
from resilience.saga.models import Saga
from resilience.telemetry import Kind, Metric, counter, declare, gauge, histogram, memory, retract, sampling
from resilience.telemetry.batch import SLOT_S
from resilience.telemetry.flusher import BATCH_SLOTS_MAX, SLOTS_MAX, SPREAD_S_MAX, Flusher
from resilience.telemetry.models import Metric10s, MetricHour, MetricMinute, MetricTotal, MetricWriter
from resilience.telemetry.reading import (
    POINTS_MAX,
    SERIES_MAX,
    Resolution,
    TooManyPointsError,
    percentiles,
    resolution_for,
    series,
)
from resilience.telemetry.rollup import KEEP_10S, KEEP_HOURS, KEEP_MINUTES, prune, roll_up

pytestmark = pytest.mark.django_db

APPLES = Metric("test_apples_total", Kind.COUNTER, "apples", "Apples.", labels=("size",))
DEPTH = Metric("test_depth", Kind.GAUGE, "rows", "Depth.")
CALL_S = Metric("test_call_s", Kind.HISTOGRAM, "seconds", "Calls.", labels=("gateway",))
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Clock:
    """A wall clock and a monotonic one that go together."""

    def __init__(self) -> None:
        self.now = NOON.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _declared() -> Iterator[None]:
    declare(APPLES, DEPTH, CALL_S)
    memory.take()
    yield
    memory.take()
    retract(APPLES, DEPTH, CALL_S)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flusher(clock: Clock) -> Flusher:
    begun = Flusher(random=Random(1), clock=clock, monotonic=clock)
    begun.begin()
    return begun


def _execute(query: Query | None) -> None:
    assert query is not None
    with connection.cursor() as cursor:
        cursor.execute(query.sql, query.parameters)


def _hand_on(flusher: Flusher, clock: Clock) -> None:
    """Let a slot end, and what it holds be written."""
    clock.now = (clock.now // SLOT_S + 1) * SLOT_S
    assert flusher.write() is None
    clock.now += SPREAD_S_MAX
    while (query := flusher.write()) is not None:
        _execute(query)
        flusher.written()


def _totals() -> dict[str, Any]:
    return {
        " ".join([total.metric, *total.labels.values()]): total
        for total in MetricTotal.objects.filter(metric__startswith="test_")
    }


def test_what_is_counted_is_handed_on_when_its_ten_seconds_are_over(flusher: Flusher, clock: Clock) -> None:
    counter("test_apples_total", size=1).add(3)
    assert flusher.write() is None
    clock.now += 9.9
    assert flusher.write() is None

    _hand_on(flusher, clock)
    counter("test_apples_total", size=1).add(4)
    histogram("test_call_s", gateway="a").observe(0.12)
    gauge("test_depth").set(5)
    gauge("test_depth").set(7)
    _hand_on(flusher, clock)

    totals = _totals()
    assert totals["test_apples_total 1"].value == 7
    assert (totals["test_call_s a"].count, totals["test_call_s a"].total) == (1, 0.12)
    assert sum(totals["test_call_s a"].buckets) == 1
    assert totals["test_depth"].value == 7
    spans = Metric10s.objects.filter(series=totals["test_apples_total 1"].id).order_by("at")
    assert [(span.at, span.value) for span in spans] == [
        (NOON, 3),
        (NOON + timedelta(seconds=10), 4),
    ]
    depth = Metric10s.objects.get(series=totals["test_depth"].id)
    assert (depth.count, depth.total, depth.peak) == (1, 7, 7)


def test_a_batch_whose_commit_was_not_heard_of_counts_once(flusher: Flusher, clock: Clock) -> None:
    counter("test_apples_total", size=1).add(3)
    clock.now += 10
    flusher.write()
    clock.now += SPREAD_S_MAX
    first = flusher.write()
    _execute(first)  # and its answer is lost: `written` is not called

    assert flusher.write() is None  # not at every beat
    counter("test_apples_total", size=1).add(1)
    clock.now += 5
    again = flusher.write()
    _execute(again)
    flusher.written()
    _hand_on(flusher, clock)

    assert again == first
    assert _totals()["test_apples_total 1"].value == 4
    assert sum(span.value for span in Metric10s.objects.all()) == 4
    assert MetricWriter.objects.get().sequence == 2


def test_an_older_batch_that_comes_late_does_nothing(flusher: Flusher, clock: Clock) -> None:
    counter("test_apples_total", size=1).add(3)
    clock.now += 10
    flusher.write()
    clock.now += SPREAD_S_MAX
    first = flusher.write()
    _execute(first)
    flusher.written()
    counter("test_apples_total", size=1).add(1)
    _hand_on(flusher, clock)

    _execute(first)

    assert _totals()["test_apples_total 1"].value == 4


def test_two_processes_add_to_the_same_series(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for known in ("one", "other"):
        monkeypatch.setattr("resilience.pulse.process_name", lambda name=known: name)
        clock.now = NOON.timestamp()
        flusher = Flusher(random=Random(1), clock=clock, monotonic=clock)
        flusher.begin()
        counter("test_apples_total", size=1).add(3)
        histogram("test_call_s", gateway="a").observe(0.5)
        histogram("test_call_s", gateway="a").observe(1000.0)
        _hand_on(flusher, clock)

    totals = _totals()
    assert totals["test_apples_total 1"].value == 6
    assert (totals["test_call_s a"].count, totals["test_call_s a"].total) == (4, 2001.0)
    assert totals["test_call_s a"].buckets[-1] == 2
    assert len(totals["test_call_s a"].buckets) == 27
    assert Metric10s.objects.get(series=totals["test_call_s a"].id).count == 4


def test_an_outage_is_kept_in_its_slots_and_nothing_is_lost_beyond(flusher: Flusher, clock: Clock) -> None:
    for _ in range(SLOTS_MAX + 20):
        counter("test_apples_total", size=1).add(1)
        gauge("test_depth").set(2)
        histogram("test_call_s", gateway="a").observe(0.5)
        clock.now += 10
        flusher.miss_database("default")

    clock.now += SPREAD_S_MAX
    batches = 0
    while (query := flusher.write()) is not None:
        _execute(query)
        flusher.written()
        batches += 1

    totals = _totals()
    assert batches == SLOTS_MAX / BATCH_SLOTS_MAX
    assert totals["test_apples_total 1"].value == SLOTS_MAX + 20
    assert totals["test_call_s a"].count == SLOTS_MAX + 20
    assert Metric10s.objects.filter(series=totals["test_apples_total 1"].id).count() == SLOTS_MAX
    _hand_on(flusher, clock)
    assert MetricTotal.objects.get(metric="telemetry_slots_merged_total").value == 20


def test_a_value_that_is_no_number_harms_no_other(flusher: Flusher, clock: Clock) -> None:
    gauge("test_depth").set(float("nan"))
    counter("test_apples_total", size="nul \x00 and \ud800").add(1)
    histogram("test_call_s", gateway="a").observe(float("inf"))

    _hand_on(flusher, clock)

    (total,) = _totals().values()
    assert (total.metric, total.value) == ("test_apples_total", 1)


def test_a_gauge_keeps_the_last_word_though_it_comes_first(flusher: Flusher, clock: Clock) -> None:
    gauge("test_depth").set(9)
    _hand_on(flusher, clock)
    MetricTotal.objects.update(at=datetime.now(UTC) + timedelta(hours=1), value=4)

    gauge("test_depth").set(1)
    _hand_on(flusher, clock)

    assert _totals()["test_depth"].value == 4


def test_nothing_is_written_before_it_was_begun(clock: Clock) -> None:
    flusher = Flusher(random=Random(1), clock=clock, monotonic=clock)
    counter("test_apples_total", size=1).add(1)
    clock.now += 100

    assert flusher.write() is None
    assert [delta.value for delta in memory.take()] == [1]


def test_an_early_flush_and_the_rest_of_its_slot_are_one_span(flusher: Flusher, clock: Clock) -> None:
    counter("test_apples_total", size=1).add(1)
    assert flusher.hurry()
    counter("test_apples_total", size=1).add(2)
    _hand_on(flusher, clock)

    (span,) = Metric10s.objects.all()
    assert span.value == 3
    assert not flusher.hurry()


def _span(known: MetricTotal, at: datetime, **facts: Any) -> None:
    Metric10s.objects.create(
        series=known.id, at=at, **({"value": 0, "count": 0, "total": 0, "buckets": None} | facts)
    )


def _total(metric: str, kind: Kind, **labels: str) -> MetricTotal:
    return MetricTotal.objects.create(
        metric=metric, kind=kind, labels=labels, value=0, count=0, total=0, at=NOON
    )


def test_spans_roll_up_to_minutes_and_hours_as_often_as_one_likes() -> None:
    apples, call = _total("a_total", Kind.COUNTER), _total("b_s", Kind.HISTOGRAM)
    for second in range(0, 120, 10):
        at = NOON + timedelta(seconds=second)
        _span(apples, at, value=second)
        _span(call, at, count=2, total=0.5, buckets=[1, 1, 0])

    for _ in range(2):
        roll_up(now=NOON + timedelta(minutes=2))
    _span(apples, NOON + timedelta(seconds=5), value=1000)  # a process that was cut off
    roll_up(now=NOON + timedelta(minutes=10))

    minutes = MetricMinute.objects.order_by("series", "at")
    assert [(row.series, row.at, row.value, row.count, row.total, row.buckets) for row in minutes] == [
        (apples.id, NOON, 1150, 0, 0, None),
        (apples.id, NOON + timedelta(minutes=1), 510, 0, 0, None),
        (call.id, NOON, 0, 12, 3.0, [6, 6, 0]),
        (call.id, NOON + timedelta(minutes=1), 0, 12, 3.0, [6, 6, 0]),
    ]
    hours = MetricHour.objects.order_by("series")
    assert [(row.at, row.value, row.count, row.buckets) for row in hours] == [
        (NOON, 1660, 0, None),
        (NOON, 0, 24, [12, 12, 0]),
    ]


def test_a_roll_up_that_was_left_out_for_hours_is_made_up_for() -> None:
    apples = _total("a_total", Kind.COUNTER)
    _span(apples, NOON, value=1)
    roll_up(now=NOON + timedelta(minutes=1))
    _span(apples, NOON + timedelta(minutes=5), value=2)

    roll_up(now=NOON + timedelta(hours=2))

    assert [row.value for row in MetricMinute.objects.order_by("at")] == [1, 2]
    assert MetricHour.objects.get().value == 3


def test_what_is_old_goes_and_what_is_not_stays() -> None:
    apples = _total("a_total", Kind.COUNTER)
    second = timedelta(seconds=1)
    for model, keep in ((Metric10s, KEEP_10S), (MetricMinute, KEEP_MINUTES), (MetricHour, KEEP_HOURS)):
        for at in (NOON - keep - second, NOON - keep, NOON):
            model.objects.create(series=apples.id, at=at, value=1, count=0, total=0)

    pruned = prune(now=NOON)

    assert pruned.rows == 3
    assert [model.objects.count() for model in (Metric10s, MetricMinute, MetricHour)] == [2, 2, 2]
    assert MetricTotal.objects.count() == 1


def test_a_chart_adds_up_what_it_does_not_tell_apart() -> None:
    red, green = (
        _total("a_total", Kind.COUNTER, c="red", s="1"),
        _total("a_total", Kind.COUNTER, c="green", s="1"),
    )
    _span(red, NOON, value=1)
    _span(green, NOON, value=10)
    _span(green, NOON + timedelta(seconds=10), value=5)
    _span(green, NOON + timedelta(seconds=20), value=99)  # not in the stretch
    stretch = {"start": NOON, "end": NOON + timedelta(seconds=20), "alias": "default"}

    (line,) = series(metric="a_total", **stretch)
    by_colour = series(metric="a_total", by=("c",), **stretch)
    (only_red,) = series(metric="a_total", labels={"c": "red"}, **stretch)

    assert [(point.value, point.rate) for point in line.points] == [(11, 1.1), (5, 0.5)]
    assert {one.labels["c"]: [point.value for point in one.points] for one in by_colour} == {
        "red": [1],
        "green": [10, 5],
    }
    assert [point.value for point in only_red.points] == [1]
    assert series(metric="unknown_total", **stretch) == []


def test_a_gauge_shows_its_mean_and_its_peak() -> None:
    depth = _total("depth", Kind.GAUGE)
    _span(depth, NOON, count=2, total=10.0, peak=8.0)

    (line,) = series(metric="depth", start=NOON, end=NOON + timedelta(minutes=1), alias="default")

    assert [(point.value, point.peak) for point in line.points] == [(5.0, 8.0)]


def test_percentiles_are_of_all_series_together() -> None:
    one, other = _total("b_s", Kind.HISTOGRAM, g="1"), _total("b_s", Kind.HISTOGRAM, g="2")
    fast, slow = [0] * 27, [0] * 27
    fast[10], slow[15] = 90, 10
    _span(one, NOON, count=90, total=9.0, buckets=fast)
    _span(other, NOON, count=10, total=10.0, buckets=slow)

    (found,) = percentiles(metric="b_s", start=NOON, end=NOON + timedelta(minutes=1), alias="default")

    assert found.count == 100
    assert 0.0631 < found.values_s[0.5] < 0.1
    assert 0.631 < found.values_s[0.95] < found.values_s[0.99] <= 1.0


def test_no_chart_gets_more_than_it_can_show() -> None:
    for number in range(SERIES_MAX + 5):
        _span(_total("a_total", Kind.COUNTER, c=str(number)), NOON, value=number)
    stretch = {"start": NOON, "end": NOON + timedelta(seconds=10), "alias": "default"}

    lines = series(metric="a_total", by=("c",), **stretch)

    assert {line.labels["c"] for line in lines} == {str(number) for number in range(5, SERIES_MAX + 5)}
    with pytest.raises(TooManyPointsError):
        series(metric="a_total", start=NOON, end=NOON + timedelta(days=2), resolution=Resolution.TEN_SECONDS)


@pytest.mark.parametrize(
    ("stretch", "expected"),
    [
        (timedelta(hours=1), Resolution.TEN_SECONDS),
        (timedelta(seconds=10) * POINTS_MAX, Resolution.TEN_SECONDS),
        (timedelta(days=1), Resolution.MINUTE),
        (timedelta(days=30), Resolution.HOUR),
    ],
)
def test_the_resolution_follows_the_stretch(stretch: timedelta, expected: Resolution) -> None:
    assert resolution_for(start=NOON, end=NOON + stretch) is expected


@pytest.mark.django_db(databases=["default", "replica"])
def test_each_sample_asks_a_question_that_its_server_answers() -> None:
    askers = [member for member in process._members if isinstance(member, sampling._Asker)]
    answers = {}
    for asker in askers:
        one = asker._sample
        with connections[one.alias].cursor() as cursor:
            cursor.execute(f"SELECT ({one.sql})", one.parameters() or None)
            answers[one.gauge] = cursor.fetchone()[0]

    assert answers.keys() == {
        "saga_due",
        "saga_oldest_due_s",
        "saga_parked",
        "subscription_lag_s",
        "dead_letters",
        "replica_lag_s",
        "payments_in_doubt",
        "payments_in_doubt_oldest_s",
    }
    assert all(
        value is None or isinstance(value, int | float) or asker._sample.label
        for asker, value in zip(askers, answers.values(), strict=True)
    )


def test_a_sample_sets_its_gauge_every_ten_seconds_in_a_process_that_asks(monkeypatch) -> None:
    asker = sampling._Asker(sampling.Sample("subscription_lag_s", "SELECT 1", label="subscription"))
    assert asker.question("default") is None  # this process does not ask

    monkeypatch.setattr(sampling, "_is_asking", True)
    assert asker.question("replica") is None
    assert asker.question("default") == Query("SELECT 1")
    assert asker.question("default") is None
    asker.answer("default", '{"one": 1.5, "other": 0}', 0.0)

    assert {delta.labels: delta.value for delta in memory.take()} == {
        (("subscription", "one"),): 1.5,
        (("subscription", "other"),): 0.0,
    }


def test_sagas_that_are_due_show_in_the_samples() -> None:
    for seconds, status in ((60, "running"), (10, "running"), (0, "parked")):
        Saga.objects.create(
            definition="d",
            version=1,
            business_key=new_id(),
            status=status,
            due_at=clock_now() - timedelta(seconds=seconds) if seconds else None,
            deadline_at=clock_now(),
            created_at=clock_now(),
        )
    found = {}
    for member in process._members:
        if isinstance(member, sampling._Asker) and member._sample.gauge.startswith("saga"):
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT ({member._sample.sql})")
                found[member._sample.gauge] = cursor.fetchone()[0]

    assert (found["saga_due"], found["saga_parked"]) == (2, 1)
    assert 60 <= found["saga_oldest_due_s"] < 70
