"""Full jitter: real-valued, bounded, and spread evenly."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.retry import RetryPolicy, full_jitter_s

POLICY = RetryPolicy(wait_initial_s=0.2, wait_max_s=30.0)


class Longest(Random):
    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.mark.parametrize(
    ("attempt", "longest_s"),
    [(1, 0.2), (2, 0.4), (3, 0.8), (8, 25.6), (9, 30.0), (10, 30.0), (5000, 30.0)],
)
def test_the_longest_wait_doubles_up_to_the_cap(attempt: int, longest_s: float):
    assert full_jitter_s(POLICY, attempt=attempt, random=Longest()) == pytest.approx(longest_s)


@given(
    st.floats(0.001, 60.0), st.floats(0.001, 3600.0), st.integers(1, 10**6), st.integers(0, 2**32).map(Random)
)
def test_a_wait_lies_between_zero_and_its_bound(
    initial_s: float, longest_s: float, attempt: int, random: Random
):
    policy = RetryPolicy(wait_initial_s=initial_s, wait_max_s=longest_s)

    wait_s = full_jitter_s(policy, attempt=attempt, random=random)

    assert 0.0 <= wait_s <= min(longest_s, initial_s * 2.0 ** min(attempt - 1, 40))


def test_waits_are_real_numbers_spread_evenly_from_zero():
    random = Random(7)

    waits_s = [full_jitter_s(POLICY, attempt=9, random=random) for _ in range(20_000)]

    # The standard error of the mean is 0.06 s here, of a decile's share 0.2 %.
    assert sum(waits_s) / len(waits_s) == pytest.approx(15.0, abs=0.3)
    deciles = [sum(30 * i / 10 <= wait_s < 30 * (i + 1) / 10 for wait_s in waits_s) for i in range(10)]
    assert all(1850 <= count <= 2150 for count in deciles)
    assert len(set(waits_s)) > 19_990


def test_two_that_fail_together_do_not_come_back_together():
    waits_s = {full_jitter_s(POLICY, attempt=3, random=Random(seed)) for seed in range(1000)}

    assert len({round(wait_s, 3) for wait_s in waits_s}) > 500
