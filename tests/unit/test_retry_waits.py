"""Waits: real-valued, capped before chance, and spread as their formula says."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.retry import Jitter, RetryPolicy, wait_s

POLICY = RetryPolicy(wait_initial_s=0.2, wait_max_s=30.0)
JITTERS = list(Jitter)


class Longest(Random):
    def uniform(self, a: float, b: float) -> float:
        return b


class Shortest(Random):
    def uniform(self, a: float, b: float) -> float:
        return a


def policy_with(jitter: Jitter) -> RetryPolicy:
    return RetryPolicy(wait_initial_s=0.2, wait_max_s=30.0, jitter=jitter)


def test_full_jitter_is_the_default():
    assert RetryPolicy().jitter is Jitter.FULL


@pytest.mark.parametrize(
    ("attempt", "longest_s"),
    [(1, 0.2), (2, 0.4), (3, 0.8), (8, 25.6), (9, 30.0), (10, 30.0), (5000, 30.0)],
)
@pytest.mark.parametrize(
    ("jitter", "shortest_share"), [(Jitter.FULL, 0.0), (Jitter.EQUAL, 0.5), (Jitter.NONE, 1.0)]
)
def test_the_bounds_double_up_to_the_cap(
    attempt: int, longest_s: float, jitter: Jitter, shortest_share: float
):
    policy = policy_with(jitter)

    assert wait_s(policy, attempt=attempt, random=Longest()) == pytest.approx(longest_s)
    assert wait_s(policy, attempt=attempt, random=Shortest()) == pytest.approx(longest_s * shortest_share)


@pytest.mark.parametrize(
    ("previous_s", "longest_s"),
    [(None, 0.6), (0.0, 0.6), (0.2, 0.6), (1.0, 3.0), (10.0, 30.0), (300.0, 30.0)],
)
def test_a_decorrelated_wait_grows_from_the_one_before_and_not_from_the_tries(
    previous_s: float | None, longest_s: float
):
    policy = policy_with(Jitter.DECORRELATED)

    for attempt in (1, 2, 50):
        longest = wait_s(policy, attempt=attempt, previous_s=previous_s, random=Longest())
        assert longest == pytest.approx(longest_s)
        assert wait_s(policy, attempt=attempt, previous_s=previous_s, random=Shortest()) == 0.2


@given(
    st.sampled_from(JITTERS),
    st.floats(0.0, 60.0),
    st.floats(0.0, 3600.0),
    st.integers(1, 10**6),
    st.none() | st.floats(0.0, 10_000.0),
    st.integers(0, 2**32).map(Random),
)
def test_a_wait_is_never_negative_and_never_above_the_cap(
    jitter: Jitter, initial_s: float, longest_s: float, attempt: int, previous_s: float | None, random: Random
):
    policy = RetryPolicy(wait_initial_s=initial_s, wait_max_s=longest_s, jitter=jitter)

    waited_s = wait_s(policy, attempt=attempt, previous_s=previous_s, random=random)

    assert 0.0 <= waited_s <= longest_s


@pytest.mark.parametrize(
    ("jitter", "low_s"), [(Jitter.FULL, 0.0), (Jitter.EQUAL, 15.0), (Jitter.DECORRELATED, 0.2)]
)
def test_waits_at_the_cap_are_real_numbers_spread_evenly(jitter: Jitter, low_s: float):
    random = Random(7)

    waits_s = [wait_s(policy_with(jitter), attempt=12, previous_s=30.0, random=random) for _ in range(20_000)]

    # The standard error of the mean is 0.06 s here, of a decile's share 0.2 %.
    width_s = 30.0 - low_s
    assert sum(waits_s) / len(waits_s) == pytest.approx(low_s + width_s / 2, abs=0.3)
    deciles = [
        sum(low_s + width_s * i / 10 <= one < low_s + width_s * (i + 1) / 10 for one in waits_s)
        for i in range(10)
    ]
    assert all(1850 <= count <= 2150 for count in deciles)
    # Capped after chance, thousands of them would be the cap itself.
    assert len(set(waits_s)) > 19_990


@pytest.mark.parametrize("jitter", [Jitter.FULL, Jitter.EQUAL, Jitter.DECORRELATED])
def test_two_that_fail_together_do_not_come_back_together(jitter: Jitter):
    waits_s = {
        wait_s(policy_with(jitter), attempt=3, previous_s=0.5, random=Random(seed)) for seed in range(1000)
    }

    assert len({round(one, 3) for one in waits_s}) > 250


def test_without_jitter_they_all_do():
    assert {wait_s(policy_with(Jitter.NONE), attempt=3, random=Random(seed)) for seed in range(99)} == {0.8}


def test_a_negative_wait_is_not_a_policy():
    with pytest.raises(ValueError, match="never negative"):
        RetryPolicy(wait_initial_s=-0.1)
