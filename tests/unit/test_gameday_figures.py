"""The figures of a game day, from what was seen; the expectations that read them."""

import pytest

from config.gameday import expect
from config.gameday.scenario import Expectation
from config.gameday.scenarios import SCENARIOS
from config.gameday.schedule import Due, Kind, Stretch, due_requests
from config.gameday.seen import Calls, Capacity, Request, Sample, Seen, Window

STEADY, FAULT, AFTER = Window(0, 10), Window(10, 20), Window(20, 30)


def seen(*requests: Request, **more: object) -> Seen:
    return Seen(steady=STEADY, fault=FAULT, after=AFTER, requests=requests, **more)


def post(due_s: float, *, took_s: float = 0.02, status: int = 201) -> Request:
    return Request("POST", due_s, took_s, status)


def read(due_s: float, *, took_s: float = 0.01, status: int = 200) -> Request:
    return Request("GET", due_s, took_s, status)


def holds(expectation: Expectation, of: Seen) -> bool | None:
    return expectation.judge(of).holds


def test_requests_are_due_evenly_whatever_became_of_others() -> None:
    due = list(due_requests([Stretch(1, rate=2), Stretch(1, rate=4, reads=False)]))

    assert due == [
        Due(0, 0.0, Kind.POST),
        Due(1, 0.25, Kind.GET),
        Due(2, 0.5, Kind.POST),
        Due(3, 0.75, Kind.GET),
        Due(4, 1.0, Kind.POST),
        Due(5, 1.25, Kind.POST),
        Due(6, 1.5, Kind.POST),
        Due(7, 1.75, Kind.POST),
    ]


@pytest.mark.parametrize(
    ("requests", "after_s"),
    [
        ([post(9, status=503), post(12)], 0.0),
        ([post(10, status=0), post(11, status=503), post(13, took_s=0.5)], 3.5),
        # One that came through in between does not count: it failed again.
        ([post(10, status=0), post(11), post(12, status=0), post(14)], 4.02),
        ([post(12), post(29, status=503)], None),
    ],
)
def test_writes_are_back_when_none_fails_any_more(requests: list[Request], after_s: float | None) -> None:
    assert seen(*requests).writes_again_after_s() == pytest.approx(after_s)


def test_amplification_is_calls_for_what_is_needed_in_units_of_the_steady_state() -> None:
    found = seen(
        calls_steady=Calls(all=30, needed=20), calls_all=Calls(all=180, needed=100), refused_connects=15.0
    )

    # 195 calls for 100, where 1.5 are usual.
    assert found.amplification() == pytest.approx(1.3)


def test_amplification_is_not_known_without_a_steady_state() -> None:
    found = seen(calls_steady=Calls(all=0, needed=0), calls_all=Calls(all=9, needed=3))

    assert found.amplification() is None
    assert holds(expect.amplification_at_most(1.1), found) is None


def test_late_answers_are_no_goodput() -> None:
    found = seen(
        *(post(10 + number) for number in range(8)),
        post(18, took_s=2.5),
        post(19, status=503),
        capacity=Capacity(accepted_per_s=1.0, settled_per_s=1.0),
    )

    assert found.goodput_per_s(FAULT) == pytest.approx(0.8)
    assert holds(expect.goodput_at_least(0.8), found) is True
    assert holds(expect.goodput_at_least(0.81), found) is False


@pytest.mark.parametrize(("during_ms", "is_borne"), [(69.0, True), (71.0, False)])
def test_p99_is_compared_with_the_steady_state_once_the_fault_was_noticed(
    during_ms: float, is_borne: bool
) -> None:
    found = seen(
        *(post(number / 10) for number in range(100)),
        # In the first second after the fault, everything may happen.
        post(10.5, took_s=9.0),
        *(post(11 + number, took_s=during_ms / 1000) for number in range(9)),
    )

    assert holds(expect.p99_rises_at_most("POST", by_ms=50), found) is is_borne


def test_one_failure_in_any_phase_is_not_all_accepted() -> None:
    good = [post(1), post(11), post(21)]

    assert holds(expect.all_accepted(), seen(*good)) is True
    assert holds(expect.all_accepted(), seen(*good, post(25, status=503))) is False
    assert holds(expect.all_accepted(), seen(*good, post(25, status=0))) is False


@pytest.mark.parametrize(
    ("orders", "unanswered", "is_so"),
    [
        ({"confirmed": 5}, 0, True),
        ({"confirmed": 5}, 1, False),
        ({"confirmed": 4, "cancelled": 1}, 0, False),
        ({"confirmed": 4, "missing": 1}, 0, False),
        ({"confirmed": 4, "pending": 1}, 0, False),
    ],
)
def test_all_confirmed_means_all(orders: dict[str, int], unanswered: int, is_so: bool) -> None:
    assert holds(expect.all_confirmed(), seen(orders=orders, unanswered=unanswered)) is is_so


def test_a_missing_order_is_found() -> None:
    assert holds(expect.none_missing(), seen(orders={"confirmed": 4})) is True
    assert holds(expect.none_missing(), seen(orders={"confirmed": 4, "missing": 1})) is False


@pytest.mark.parametrize(("drained_s", "is_so"), [(29.9, True), (30.1, False), (None, False)])
def test_a_backlog_is_drained_at_the_pace_of_the_capacity(drained_s: float | None, is_so: bool) -> None:
    found = seen(capacity=Capacity(accepted_per_s=80, settled_per_s=50), backlog=1000, drained_s=drained_s)

    assert holds(expect.drained_within(1.5), found) is is_so


def test_a_client_that_misses_its_order_is_found() -> None:
    assert holds(expect.reads_own_writes(), seen(read(1), read(12, status=503))) is True
    assert holds(expect.reads_own_writes(), seen(read(1), read(12, status=404))) is False


def test_a_replaced_process_is_found() -> None:
    assert holds(expect.nothing_restarts(), seen(restarted={"web": 0, "worker": 0})) is True
    assert holds(expect.nothing_restarts(), seen(restarted={"web": 1, "worker": 0})) is False


def test_the_pace_of_confirmations_is_read_from_samples() -> None:
    samples = [Sample(at_s, {"confirmed": at_s * 10}) for at_s in range(10)]
    samples += [Sample(10 + at_s, {"confirmed": 100 + at_s * 7}) for at_s in range(10)]
    found = seen(samples=samples)

    assert holds(expect.confirmed_pace_at_least(0.7), found) is True
    assert holds(expect.confirmed_pace_at_least(0.71), found) is False
    assert holds(expect.confirmed_pace_at_least(0.7), seen()) is None


@pytest.mark.parametrize(
    "expectation",
    [
        expect.all_accepted(),
        expect.accepted_at_least(per_cent=99),
        expect.none_missing(),
        expect.no_errors("GET"),
        expect.p99_rises_at_most("POST", by_ms=50),
        expect.p99_at_most("livez", ms=10),
        expect.reads_own_writes(),
        expect.always_answered("readyz"),
        expect.normal_again_within(60),
        expect.goodput_at_least(0.8),
        expect.drained_within(1.5),
        expect.drained_within_s(60),
        expect.all_confirmed(),
        expect.writes_again_within(10),
        expect.confirmed_pace_at_least(0.8),
        expect.amplification_at_most(1.1),
    ],
    ids=lambda expectation: expectation.says,
)
def test_nothing_seen_is_no_success(expectation: Expectation) -> None:
    assert not holds(expectation, seen())


@pytest.mark.parametrize(
    ("took_s", "until_s", "is_so"),
    [(0.04, 29, True), (0.05, 29, False), (0.04, 22, True), (0.05, 22, None)],
)
def test_normal_is_twice_the_steady_time_once_the_bound_is_over(
    took_s: float, until_s: int, is_so: bool | None
) -> None:
    found = seen(
        *(post(number) for number in range(10)), *(post(at_s, took_s=took_s) for at_s in range(20, until_s))
    )

    assert holds(expect.normal_again_within(5), found) is is_so


def test_what_the_platform_said_of_itself_is_read_from_samples() -> None:
    samples = [
        Sample(5, {"reduced redis:connection": 1.0}),
        Sample(12, {}),
        Sample(13, {"reduced redis:connection": 1.0}),
        Sample(19, {"reduced redis:connection": 1.0}),
    ]
    found = seen(samples=samples)

    # What it said before the fault is no answer to it.
    assert found.reduced() == {"redis:connection": (13, 19)}
    assert holds(expect.says_so_within(3, part="redis:connection"), found) is True
    assert holds(expect.says_so_within(2.9, part="redis:connection"), found) is False
    assert holds(expect.says_so_within(9, part="primary:connection"), found) is False


def test_scenarios_have_names_of_their_own_and_expect_something() -> None:
    names = [scenario.name for scenario in SCENARIOS]

    assert len(names) == len(set(names)) == 14
    assert all(scenario.expects for scenario in SCENARIOS)
