"""One breaker in one process, and several of them as a fleet on a model of the board."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from resilience.breaker import CallOutcome, CircuitOpen
from resilience.breaker.circuit import Circuit
from resilience.breaker.forced import Override
from resilience.breaker.policy import BreakerPolicy
from resilience.breaker.states import BreakerState, Force
from resilience.breaker.telling import ATTENTION_S, report_of
from tests.breaker_kit import POLICY, Clock, Fleet, circuit, fail_hard


def admits(one: Circuit) -> bool:
    try:
        one.enter().done(CallOutcome.SUCCESS, 0.01)
    except CircuitOpen:
        return False
    return True


# By itself


def test_so_many_refused_connections_in_a_row_open_it_at_once():
    one = circuit(Clock(), replace(POLICY, calls_min=100))

    fail_hard(one, 2)
    assert admits(one)
    fail_hard(one, 3)

    with pytest.raises(CircuitOpen) as refused:
        one.enter()
    assert refused.value.reason == "failures_in_row"
    assert 1.0 <= refused.value.retry_after_s <= 3.0
    assert refused.value.code == "circuit_open"
    assert one.rejected == 1


def test_failures_of_any_kind_in_a_row_open_it_whatever_went_well_before():
    one = circuit(Clock())
    for _ in range(500):
        assert admits(one)

    for call in [one.enter() for _ in range(6)]:
        call.done(CallOutcome.TRANSPORT, 0.01)

    assert one.footing.own.reason == "failures_in_row"


@pytest.mark.parametrize(
    "outcome", [CallOutcome.REFUSAL, CallOutcome.CALLER_FAULT, CallOutcome.OVERLOAD, CallOutcome.SUCCESS]
)
def test_what_a_healthy_dependency_says_never_opens_it(outcome):
    one = circuit(Clock())

    for _ in range(200):
        one.enter().done(outcome, 0.01)

    assert one.footing.own.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    "outcome", [CallOutcome.TIMEOUT, CallOutcome.TRANSPORT, CallOutcome.SERVER_FAULT, CallOutcome.UNREACHABLE]
)
def test_what_a_sick_one_does_opens_it(outcome):
    one = circuit(Clock())

    for call in [one.enter() for _ in range(4)]:
        call.done(outcome, 0.01)

    assert one.footing.own.state is BreakerState.OPEN


def test_old_failures_are_forgotten():
    clock = Clock()
    one = circuit(clock)
    for _ in range(3):
        one.enter().done(CallOutcome.TIMEOUT, 0.1)

    clock.at += 10
    one.enter().done(CallOutcome.TIMEOUT, 0.1)

    assert one.footing.own.state is BreakerState.CLOSED


def test_slow_answers_open_it():
    one = circuit(Clock())

    for _ in range(4):
        one.enter().done(CallOutcome.SUCCESS, 1.5)

    assert one.footing.own.reason == "slow_calls"


def test_a_call_that_is_out_too_long_counts_before_it_ends_and_once():
    clock = Clock()
    one = circuit(clock)
    calls = [one.enter() for _ in range(4)]

    clock.at += 1.0
    one.count_overdue(clock.at)

    assert one.footing.own.state is BreakerState.OPEN
    for call in calls:
        call.done(CallOutcome.TIMEOUT, 8.0)
    assert one.late == 4


def test_a_call_that_counted_while_it_was_out_adds_only_its_failure():
    clock = Clock()
    one = circuit(clock, replace(POLICY, calls_min=100))
    call = one.enter()
    clock.at += 1.0
    one.count_overdue(clock.at)
    one.count_overdue(clock.at)

    call.done(CallOutcome.TIMEOUT, 1.0)
    call.done(CallOutcome.TIMEOUT, 1.0)

    count = one.tally.window.count(clock.at)
    assert (count.started, count.total, count.failed, count.slow) == (1, 1, 1, 1)


def test_a_late_answer_is_counted_and_neither_closes_nor_opens():
    clock = Clock()
    one = circuit(clock)
    old = [one.enter() for _ in range(20)]
    fail_hard(one, 3)
    for call in old[:10]:
        call.done(CallOutcome.SUCCESS, 1.0)
    assert one.footing.own.state is BreakerState.OPEN

    recover(one, clock)
    assert one.footing.own.state is BreakerState.RAMPING
    for call in old[10:]:
        call.done(CallOutcome.UNREACHABLE, 9.0)

    assert one.footing.own.state is BreakerState.RAMPING
    assert one.late == 20


def recover(one: Circuit, clock: Clock) -> None:
    clock.at += 10
    for _ in range(POLICY.probes_needed):
        one.enter().done(CallOutcome.SUCCESS, 0.01)


def test_by_itself_it_probes_one_call_at_a_time():
    clock = Clock()
    one = circuit(clock)
    fail_hard(one, 3)
    clock.at += 10

    probe = one.enter()
    with pytest.raises(CircuitOpen):
        one.enter()
    probe.done(CallOutcome.UNREACHABLE, 0.01)

    assert one.footing.own.state is BreakerState.OPEN
    assert one.footing.own.reason == "probe_failed"


def test_a_change_leaves_the_first_probes_to_reads():
    clock = Clock()
    one = circuit(clock)
    fail_hard(one, 3)
    clock.at = one.footing.own.until

    with pytest.raises(CircuitOpen) as refused:
        one.enter(is_read=False)
    assert refused.value.retry_after_s == pytest.approx(POLICY.reads_first_s)
    one.enter(is_read=True).done(CallOutcome.SUCCESS, 0.01)
    clock.at += POLICY.reads_first_s

    assert one.enter(is_read=False).is_probe


def test_retry_after_of_an_overloaded_server_sets_the_floor():
    one = circuit(Clock())
    one.enter().done(CallOutcome.OVERLOAD, 0.01, retry_after_s=45.0)

    fail_hard(one, 3)

    with pytest.raises(CircuitOpen) as refused:
        one.enter()
    assert refused.value.retry_after_s == pytest.approx(45.0)


def test_a_ramp_admits_its_share():
    clock = Clock()
    one = circuit(clock)
    fail_hard(one, 3)
    recover(one, clock)
    begun_at = clock.at

    admitted = expected = 0.0
    while one.footing.own.state is BreakerState.RAMPING:
        expected += max(0.1, (clock.at - begun_at) / POLICY.ramp_s)
        admitted += admits(one)
        clock.at += 0.01

    assert clock.at - begun_at == pytest.approx(POLICY.ramp_s, abs=0.02)
    assert admitted == pytest.approx(expected, abs=1.01)


@pytest.mark.parametrize("force", [Force.FORCED_CLOSED, Force.METRICS_ONLY])
def test_forced_to_let_through_it_stops_nothing_and_counts_on(force):
    clock = Clock()
    one = circuit(clock)
    one.force(Override(force, "ann", "a drill", clock.at + 60))

    fail_hard(one, 20)

    assert one.footing.own.state is BreakerState.OPEN
    assert one.rejected == 0
    one.force(None)
    assert not admits(one)


def test_forced_open_it_says_by_whom_and_ends_by_itself():
    clock = Clock()
    one = circuit(clock)
    one.force(Override(Force.FORCED_OPEN, "ann", "they move", clock.at + 60))

    with pytest.raises(CircuitOpen, match="forced by ann: they move"):
        one.enter()
    clock.at += 60

    assert admits(one)


def test_a_forked_child_begins_anew():
    one = circuit(Clock())
    fail_hard(one, 3)
    one.forget()

    assert admits(one)
    assert one.in_flight == 0


# Threads


def test_the_call_itself_is_not_serialised():
    one = Circuit(name="x", policy=BreakerPolicy(), monotonic=time.monotonic, random=Random(1))
    meeting = threading.Barrier(16)

    def call() -> None:
        under_way = one.enter()
        meeting.wait(10)  # breaks if one has to end before another begins
        under_way.done(CallOutcome.SUCCESS, 0.1)

    with ThreadPoolExecutor(16) as pool:
        for future in [pool.submit(call) for _ in range(16)]:
            future.result(10)


def test_no_count_is_lost_between_threads():
    one = circuit(Clock(), replace(POLICY, calls_min=10**9, failures_in_row=10**9))

    def calls() -> None:
        for index in range(5000):
            one.enter().done(CallOutcome.TIMEOUT if index % 5 == 0 else CallOutcome.SUCCESS, 0.01)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(calls) for _ in range(8)]:
            future.result(60)

    count = one.tally.window.count(one.used_at)
    assert (count.started, count.total, count.failed) == (40_000, 40_000, 8_000)
    assert one.in_flight == 0


def test_threads_at_once_get_one_probe_of_a_process_alone():
    clock = Clock()
    one = circuit(clock)
    fail_hard(one, 3)
    clock.at += 10
    meeting = threading.Barrier(16)

    def probe() -> bool:
        meeting.wait(10)
        try:
            one.enter()
        except CircuitOpen:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        let_in = [future.result(10) for future in [pool.submit(probe) for _ in range(16)]]

    assert sum(let_in) == 1


# As a fleet


def test_failures_of_several_open_all_within_a_beat():
    fleet = Fleet(20)
    fleet.beat()

    for index in range(4):
        fleet.call(index, CallOutcome.UNREACHABLE)
    fleet.beat()
    fleet.beat()

    assert fleet.states() == {"open"}
    assert not any(admits(one) for one in fleet.circuits)


def test_what_went_well_before_a_death_does_not_end_the_streak_that_began_since():
    fleet = Fleet(10, replace(POLICY, calls_min=10_000, failures_in_row=100))
    for index in range(10):
        fleet.call(index)
    fleet.clock.at += 0.1
    for index in range(3):
        fleet.call(index, CallOutcome.UNREACHABLE)

    for index in range(10):  # the last ones tell only of what went well, and that was before
        fleet.speak(index)

    assert fleet.circuits[9].footing.fleet_figures.streak == 6
    fleet.clock.at += 0.1
    fleet.call(9)
    fleet.speak(9)
    assert fleet.circuits[9].footing.fleet_figures.streak == 0


def test_one_broken_worker_of_twenty_opens_only_itself():
    fleet = Fleet(20)

    for _ in range(200):
        for index in range(1, 20):
            fleet.call(index)
        with suppress(CircuitOpen):
            fleet.call(0, CallOutcome.UNREACHABLE)
        fleet.beat()

    assert fleet.states() == {"closed"}
    assert fleet.circuits[0].footing.own.state is not BreakerState.CLOSED
    assert all(one.footing.own.state is BreakerState.CLOSED for one in fleet.circuits[1:])


def opened_fleet(processes: int = 5) -> Fleet:
    fleet = Fleet(processes)
    for one in fleet.circuits:
        fail_hard(one, 2)
    fleet.beat()
    fleet.beat()
    assert fleet.states() == {"open"}
    return fleet


def half_open_fleet(processes: int = 5) -> Fleet:
    fleet = opened_fleet(processes)
    fleet.pass_time(4)
    assert fleet.states() == {"half_open"}
    return fleet


def want_probes(fleet: Fleet) -> list:
    """Let every process ask for a lease and take it if it gets one; return the calls."""
    calls = []
    for _ in range(2):
        for one in fleet.circuits:
            with suppress(CircuitOpen):
                calls.append(one.enter())
        fleet.beat()
    return calls


def test_probes_at_once_are_never_more_than_the_limit():
    fleet = half_open_fleet()

    calls = want_probes(fleet)
    assert len(calls) == POLICY.probes_at_once
    assert all(call.is_probe for call in calls)
    # They are out for longer than a lease lasts, and their processes live.
    for _ in range(20):
        fleet.beat()
        for one in fleet.circuits:
            with pytest.raises(CircuitOpen):
                one.enter()


def test_a_dead_probers_lease_is_free_again_after_it():
    fleet = half_open_fleet()
    calls = want_probes(fleet)
    dead = [one for one in fleet.circuits if one.in_flight]
    assert len(dead) == len(calls) == 2
    fleet.circuits = [one for one in fleet.circuits if one not in dead]
    died_at = fleet.clock.at

    while not want_probes(fleet):
        assert fleet.clock.at - died_at <= POLICY.lease_s + 1.0

    assert fleet.clock.at - died_at >= POLICY.lease_s - 0.25


def test_passed_probes_lead_over_a_ramp_to_closed():
    fleet = half_open_fleet()

    for _ in range(10):
        if fleet.states() == {"ramping"}:
            break
        for call in want_probes(fleet):
            call.done(CallOutcome.SUCCESS, 0.01)
        fleet.beat()
    assert fleet.states() == {"ramping"}
    fleet.pass_time(POLICY.ramp_s + 1)

    assert fleet.states() == {"closed"}
    assert all(admits(one) for one in fleet.circuits)


def test_a_failed_probe_opens_again_for_all():
    fleet = half_open_fleet()
    version = fleet.circuits[0].footing.fleet.version

    want_probes(fleet)[0].done(CallOutcome.SERVER_FAULT, 0.01)
    fleet.beat()
    fleet.beat()

    assert fleet.states() == {"open"}
    assert {one.footing.fleet.version for one in fleet.circuits} == {version + 1}


def test_a_lease_that_nobody_uses_goes_back():
    fleet = half_open_fleet()
    for one in fleet.circuits[:2]:
        with pytest.raises(CircuitOpen):
            one.enter()
    fleet.beat()
    assert sum(one.leases.has_free for one in fleet.circuits) == 2

    fleet.pass_time(1.5)
    last = fleet.circuits[-1]
    with pytest.raises(CircuitOpen):
        last.enter()
    fleet.beat()

    assert last.enter().is_probe


def test_without_the_board_an_open_fleet_goes_on_as_it_was_and_comes_back_by_itself():
    fleet = opened_fleet(1 + 1)
    one = fleet.circuits[0]

    one.go_alone(fleet.clock.at)
    assert not admits(one)
    recover(one, fleet.clock)

    assert one.footing.own.state is BreakerState.RAMPING


def test_a_wiped_board_learns_again_from_whoever_remembers():
    fleet = opened_fleet()
    version = fleet.circuits[0].footing.fleet.version
    fleet.board.wipe()

    fleet.beat(0.1)
    fleet.beat(0.1)

    assert fleet.states() == {"open"}
    assert {one.footing.fleet.version for one in fleet.circuits} == {version + 1}


def test_a_board_that_was_wiped_and_away_learns_again():
    fleet = opened_fleet()
    fleet.board.wipe()
    for one in fleet.circuits:
        one.go_alone(fleet.clock.at)

    fleet.beat(0.1)
    fleet.beat(0.1)

    assert fleet.states() == {"open"}


def test_a_board_that_comes_back_unchanged_counts_again():
    fleet = opened_fleet()
    for one in fleet.circuits:
        one.go_alone(fleet.clock.at)
    assert fleet.states() == {"closed"}

    fleet.beat(0.1)

    assert fleet.states() == {"open"}
    assert {one.footing.own.state for one in fleet.circuits} == {BreakerState.CLOSED}


def test_of_two_who_would_move_one_does():
    fleet = Fleet(2)
    for one in fleet.circuits:
        fail_hard(one, 2)
    fleet.beat()
    fleet.beat()

    made = [move for one in fleet.circuits for move in one.take_moves() if move.figures.is_fleet]

    assert [(move.before, move.after) for move in made] == [(BreakerState.CLOSED, BreakerState.OPEN)]


def test_a_breaker_that_nobody_uses_is_not_talked_about():
    clock = Clock()
    one = circuit(clock)
    assert report_of(one, now=clock.at) is not None

    clock.at += ATTENTION_S + 1

    assert report_of(one, now=clock.at) is None


def test_retry_after_reaches_the_fleet():
    fleet = Fleet(3)
    fleet.circuits[0].enter().done(CallOutcome.OVERLOAD, 0.01, retry_after_s=45.0)
    fleet.beat(0.0)

    for one in fleet.circuits[1:]:
        fail_hard(one, 2)
    fleet.beat(0.0)
    fleet.beat(0.0)

    assert fleet.states() == {"open"}
    assert fleet.circuits[2].footing.fleet.until - fleet.clock.at == pytest.approx(45.0)
