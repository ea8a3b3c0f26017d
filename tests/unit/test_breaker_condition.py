"""What a breaker does next: every pair of states, and every reason to move."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.breaker.condition import (
    Condition,
    Figures,
    admitted_share,
    following,
    next_wait_s,
    quorum,
    why_it_trips,
)
from resilience.breaker.policy import BreakerPolicy
from resilience.breaker.states import EDGES, BreakerState

POLICY = BreakerPolicy()
NOW = 1000.0
CLOSED, OPEN = BreakerState.CLOSED, BreakerState.OPEN
HALF_OPEN, RAMPING = BreakerState.HALF_OPEN, BreakerState.RAMPING

# What leads from each state to each other one that it may go to.
WAYS = {
    (CLOSED, OPEN): Figures(streak=10),
    (OPEN, HALF_OPEN): Figures(),
    (HALF_OPEN, OPEN): Figures(probes_failed=1, probes_passed=9),
    (HALF_OPEN, RAMPING): Figures(probes_passed=3),
    (RAMPING, OPEN): Figures(total=10, failed=5),
    (RAMPING, CLOSED): Figures(),
}


def move(condition: Condition, figures: Figures, now: float = NOW) -> Condition | None:
    return following(POLICY, condition, figures, now=now, random=Random(1))


def test_a_way_is_known_for_each_edge_and_for_no_other_pair():
    edges = {(before, after) for before, afters in EDGES.items() for after in afters}

    assert set(WAYS) == edges


@pytest.mark.parametrize(("before", "after"), WAYS)
def test_each_edge_is_gone(before, after):
    condition = Condition(before, version=7, since=NOW - 60, until=NOW - 1, wait_s=2.0)

    moved = move(condition, WAYS[before, after])

    assert moved is not None
    assert moved.state is after
    assert moved.version == 8
    assert moved.since == NOW


figures = st.builds(
    Figures,
    total=st.integers(0, 50),
    failed=st.integers(0, 50),
    slow=st.integers(0, 50),
    streak=st.integers(0, 10),
    failing_workers=st.integers(0, 20),
    reporting_workers=st.integers(0, 20),
    probes_passed=st.integers(0, 5),
    probes_failed=st.integers(0, 5),
    retry_after_s=st.floats(0, 1e6),
    is_fleet=st.booleans(),
)


@given(figures, st.sampled_from(BreakerState), st.floats(0, 100), st.integers())
def test_nothing_leads_off_the_table(seen, state, left_s, seed):
    condition = Condition(state, version=3, since=NOW - 5, until=NOW + left_s, wait_s=1.0)

    moved = following(POLICY, condition, seen, now=NOW, random=Random(seed))

    if moved is not None:
        assert moved.state in EDGES[state]
        assert moved.version == 4
        longest_s = max(POLICY.open_max_s, POLICY.retry_after_max_s)
        assert moved.state is not OPEN or POLICY.open_initial_s <= moved.until - NOW <= longest_s


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (Figures(total=9, failed=9), ""),
        (Figures(total=10, failed=4), ""),
        (Figures(total=10, failed=5), "failures"),
        (Figures(total=10, slow=7), ""),
        (Figures(total=10, slow=8), "slow_calls"),
        (Figures(streak=9), ""),
        (Figures(streak=10), "failures_in_row"),
    ],
)
def test_a_process_alone_trips_at_its_thresholds(seen, reason):
    assert why_it_trips(POLICY, seen) == reason


@pytest.mark.parametrize(
    ("failing", "reporting", "reason"),
    [(1, 20, ""), (1, 1, ""), (2, 20, "failures"), (2, 21, ""), (3, 21, "failures"), (10, 100, "failures")],
)
def test_a_fleet_opens_by_a_quorum_only(failing, reporting, reason):
    seen = Figures(
        total=1000, failed=999, failing_workers=failing, reporting_workers=reporting, is_fleet=True
    )

    assert why_it_trips(POLICY, seen) == reason
    assert why_it_trips(POLICY, replace(seen, failed=0, streak=99)) == (reason and "failures_in_row")


def test_a_quorum_is_a_share_and_never_one():
    assert [quorum(POLICY, workers) for workers in (0, 1, 20, 21, 100)] == [2, 2, 2, 3, 10]


def test_open_lasts_longer_each_round_until_it_closes():
    random, waits = Random(4), [0.0]
    for _ in range(2000):
        waits.append(next_wait_s(POLICY, last_s=waits[-1], random=random))

    assert max(waits) == POLICY.open_max_s
    assert min(waits[1:]) >= POLICY.open_initial_s
    assert all(wait <= max(1.0, last) * 3 for last, wait in pairwise(waits))
    closed = move(Condition(RAMPING, since=NOW - 9, until=NOW, wait_s=8.0), Figures())
    assert closed is not None
    assert (closed.state, closed.wait_s) == (CLOSED, 0.0)


@pytest.mark.parametrize(
    ("wished_s", "least_s", "most_s"), [(60.0, 60.0, 60.0), (9e9, 300.0, 300.0), (0, 1, 3)]
)
def test_retry_after_is_a_floor_with_a_ceiling(wished_s, least_s, most_s):
    moved = move(Condition(), Figures(streak=10, retry_after_s=wished_s))

    assert moved is not None
    assert least_s <= moved.until - NOW <= most_s


def test_it_stays_open_until_it_may_be_probed():
    assert move(Condition(OPEN, until=NOW + 0.001), Figures()) is None


@given(st.floats(0.2, 5.0), st.floats(0, 20))
def test_the_ramp_is_envoys(aggression, after_s):
    policy = replace(POLICY, ramp_aggression=aggression)
    condition = Condition(RAMPING, since=NOW, until=NOW + 10)

    share = admitted_share(policy, condition, now=NOW + after_s)

    assert share == pytest.approx(max(0.1, min(1.0, after_s / 10) ** (1 / aggression)), abs=1e-9)
