"""The home page's words and figures: an honest sentence, one grid for all lines, tiles that compare."""

from datetime import UTC, datetime, timedelta

import pytest

from config.dashboard.home.charts import Grid, peaks, per_minute, percentile_lines, share
from config.dashboard.home.sentence import Level, sentence_of
from config.dashboard.home.tiles import NOTHING, amount, seconds, tiles_of
from config.dashboard.home.window import SPANS, Window
from resilience.health.check import Check, Finding, Scope, Status
from resilience.health.report import Report, Result
from resilience.telemetry.buckets import BOUNDS_S
from resilience.telemetry.reading import POINTS_MAX, Point, SeriesPoints

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEP = timedelta(seconds=10)


def result(
    status: Status, *, name: str = "gateway:a", is_hard: bool = False, since: datetime = NOON
) -> Result:
    check = Check(name, "component", Scope.SHARED, is_hard, "Payments through a wait, none is lost.", Finding)
    return Result(check, Finding(status, output="Its breaker is open: timeouts"), since)


def point(number: int, value: float, *, buckets: tuple[int, ...] | None = None) -> Point:
    return Point(NOON + number * STEP, value, value / 10, value, None, buckets)


def test_all_good_is_said_only_when_everything_passes() -> None:
    assert sentence_of(Report(NOON, (result(Status.PASS),))).level is Level.GOOD


def test_the_sentence_says_what_waits_why_and_since_when() -> None:
    told = sentence_of(Report(NOON, (result(Status.FAIL), result(Status.WARN, name="redis:connection"))))

    assert told.level is Level.REDUCED
    assert told.text == (
        "Payments through a wait, none is lost. Its breaker is open: timeouts. Since 12:00:00 UTC."
    )
    assert told.more == 1


def test_what_fails_comes_before_what_only_warns_for_longer() -> None:
    old = result(Status.WARN, name="switches:turned", since=NOON - timedelta(days=2))

    told = sentence_of(Report(NOON, (old, result(Status.FAIL))))
    alone = sentence_of(Report(NOON, (old,)))

    assert "12:00:00 UTC" in told.text
    assert "2026-02-27 12:00:00 UTC" in alone.text


def test_a_hard_part_that_fails_comes_first_and_is_down() -> None:
    earlier = result(Status.FAIL, since=NOON - timedelta(hours=1))
    hard = result(Status.FAIL, name="primary:connection", is_hard=True)

    told = sentence_of(Report(NOON, (earlier, hard)))

    assert told.level is Level.DOWN
    assert "12:00:00" in told.text


def test_without_a_report_nothing_is_claimed() -> None:
    assert sentence_of(None).level is Level.UNKNOWN


@pytest.mark.parametrize("span", SPANS.values(), ids=SPANS.keys())
def test_every_span_fits_into_what_may_be_read(span) -> None:
    window = Window.ending(NOON, span)

    assert (window.end - window.start) / window.step <= POINTS_MAX
    assert (window.start - window.before) == (window.end - window.start)


def test_a_grid_stands_on_whole_steps_and_ends_before_what_may_be_late() -> None:
    grid = Grid.of(NOON + timedelta(seconds=3), NOON + timedelta(minutes=1), STEP)

    assert grid.start == NOON + STEP
    assert grid.place({NOON + STEP: 5.0}, missing=None) == [5.0, None, None]


def test_a_grid_of_minutes_ends_where_minutes_are_made() -> None:
    minute = timedelta(minutes=1)

    assert Grid.of(NOON, NOON + 10 * minute, minute).count == 8


def test_rates_are_zero_where_nothing_happened_and_gauges_are_unknown() -> None:
    grid = Grid(NOON, STEP, 3)
    line = SeriesPoints({"outcome": "completed"}, [point(1, 2.0)])

    [rate] = per_minute(words={"completed": "confirmed"})([[line]], grid)
    [gauge] = peaks("replica")([[SeriesPoints({}, [point(1, 2.0)])]], grid)

    assert (rate.label, rate.values) == ("confirmed", [0.0, 12.0, 0.0])
    assert (gauge.label, gauge.values) == ("replica", [None, 2.0, None])


def test_a_share_counts_what_is_meant_among_all() -> None:
    grid = Grid(NOON, STEP, 2)
    lines = [SeriesPoints({"status": "2xx"}, [point(0, 3)]), SeriesPoints({"status": "5xx"}, [point(0, 1)])]

    [line] = share(of=frozenset({"2xx"}), label="answered")([lines], grid)

    assert line.values == [75.0, None]
    assert share(of=frozenset({"2xx"}), label="answered")([[]], grid) == []


def test_percentiles_are_drawn_where_something_was_measured() -> None:
    buckets = (0, 10) + (0,) * (len(BOUNDS_S) - 1)

    p50, p95, p99 = percentile_lines(
        [[SeriesPoints({}, [point(1, 10, buckets=buckets)])]], Grid(NOON, STEP, 2)
    )

    assert [line.label for line in (p50, p95, p99)] == ["p50", "p95", "p99"]
    assert p50.values[0] is None
    assert BOUNDS_S[0] <= p50.values[1] <= p99.values[1] <= BOUNDS_S[1]


def test_tiles_tell_now_and_before() -> None:
    grid = Grid(NOON, STEP, 6)
    buckets = (0, 4) + (0,) * (len(BOUNDS_S) - 1)
    settled = [
        SeriesPoints({"outcome": "completed"}, [point(0, 3, buckets=buckets)]),
        SeriesPoints({"outcome": "compensated"}, [point(0, 1)]),
    ]
    now = [[SeriesPoints({}, [point(0, 4)])], settled, [SeriesPoints({}, [point(5, 2)])], []]

    accepted, confirmed, settle, captured, doubt, parked = tiles_of(
        now, [[], [], [], []], grid=grid, captured={"JPY": 500, "EUR": 123456}
    )

    assert (accepted.value, accepted.before, accepted.trend[0]) == ("4.0", "0.0", 24.0)
    assert (confirmed.value, confirmed.before) == ("75.0 %", NOTHING)
    assert (captured.value, captured.detail) == ("1,234.56 EUR", "500 JPY")
    assert (doubt.value, doubt.is_alarming, parked.value, parked.is_alarming) == ("2", True, NOTHING, False)
    assert settle.value.endswith(" ms")


def test_a_gauge_that_nobody_has_set_lately_is_not_known() -> None:
    grid = Grid(NOON, STEP, 90)
    now = [[], [], [SeriesPoints({}, [point(2, 0)])], []]

    *_others, doubt, _parked = tiles_of(now, [[], [], [], []], grid=grid, captured={})

    assert (doubt.value, doubt.is_alarming) == (NOTHING, False)


@pytest.mark.parametrize(
    ("value_s", "text"), [(None, NOTHING), (0.0342, "34 ms"), (2.345, "2.3 s"), (600, "10 min")]
)
def test_times_are_told_as_they_are_read(value_s: float | None, text: str) -> None:
    assert seconds(value_s) == text


def test_money_has_its_currency_s_digits() -> None:
    assert [amount(1005, currency) for currency in ("EUR", "JPY")] == ["10.05 EUR", "1,005 JPY"]
