"""The lab's crowds, on the engine's own waits, against what research/resilience.md 2.1 and 2.2 found."""

from random import Random
from statistics import fmean

import pytest

from resilience.lab.backoff import BackoffSettings, contention_curve, contention_policies, recoveries
from resilience.lab.contention import contend
from resilience.lab.recovery import Outage, Recovery, by_policy, recover
from resilience.retry import Jitter, RetryPolicy

RUNS = 20
# Mean time until the last client is done (ms) and writes tried, in 100 runs of the article's own simulator.
ARTICLE = {
    "none": {50: (1141, 690), 100: (2025, 2419), 190: (3541, 7999)},
    "exponential": {50: (36971, 630), 100: (63594, 1854), 190: (101765, 5177)},
    "equal jitter": {50: (4344, 347), 100: (6705, 813), 190: (9456, 1761)},
    "full jitter": {50: (2894, 332), 100: (5016, 797), 190: (7421, 1773)},
    "decorrelated jitter": {50: (2199, 374), 100: (4596, 1002), 190: (8002, 2434)},
}
# A run's time deviates by up to 22 % of the mean (50 clients, full jitter): 20 runs by 5 %; three times that.
TIME_TOLERANCE = 0.15
WRITES_TOLERANCE = 0.03
# The engine caps a decorrelated wait before chance, the article after it; with 190 clients at the cap that
# is measurably faster (ours 6.8 s, the article's 8.0 s), so here only "not slower" can be asked.
CAPPED_OTHERWISE = ("decorrelated jitter", 190)

# Calls, seconds until all are served, seconds until half are, most calls in 100 ms.
MODEL = {
    "every second": (137294, 80.2, 36.0, 2000),
    "equal jitter": (14000, 30.4, 17.2, 22),
    "full jitter": (15058, 58.4, 13.1, 16),
    "decorrelated jitter": (14686, 53.1, 7.0, 27),
    "full, whole seconds": (16327, 115.0, 35.0, 100),
}


@pytest.fixture(scope="module")
def found() -> list[dict[str, Recovery]]:
    """What became of the crowd under each rule, by seed."""
    return [recoveries(BackoffSettings(), seed=seed) for seed in range(1, 6)]


@pytest.mark.parametrize("label", ARTICLE)
def test_contention_is_the_articles(label: str):
    for point in contention_curve(label=label, clients=ARTICLE[label], runs=RUNS, seed=1):
        time_ms, writes = ARTICLE[label][point.clients]

        assert point.writes == pytest.approx(writes, rel=WRITES_TOLERANCE)
        if (label, point.clients) == CAPPED_OTHERWISE:
            assert point.completed_s * 1000 < time_ms
        else:
            assert point.completed_s * 1000 == pytest.approx(time_ms, rel=TIME_TOLERANCE)


def test_a_client_alone_writes_once_and_is_done_after_four_ways():
    alone = contend(clients=1, policy=None, random=Random(1))

    assert alone.writes == 1
    assert alone.completed_s == pytest.approx(0.040, abs=0.016)


@pytest.mark.parametrize("label", ARTICLE)
def test_every_client_writes_at_least_once(label: str):
    for clients in (1, 2, 30):
        seen = contend(clients=clients, policy=contention_policies()[label], random=Random(clients))

        assert seen.writes >= clients


@pytest.mark.parametrize("label", MODEL)
def test_recovery_is_the_models(label: str, found: list[dict[str, Recovery]]):
    calls, completed_s, median_s, peak = MODEL[label]

    seen = [one[label] for one in found]

    assert fmean(one.calls for one in seen) == pytest.approx(calls, rel=0.02)
    assert fmean(one.completed_s for one in seen) == pytest.approx(completed_s, rel=0.08)
    assert fmean(one.wait_median_s for one in seen) == pytest.approx(median_s, rel=0.05)
    assert fmean(one.peak for one in seen) == pytest.approx(peak, rel=0.25)


def test_without_jitter_the_crowd_comes_back_as_one_for_an_hour(found: list[dict[str, Recovery]]):
    """The research's model took 3,513 s; how many of a herd are served per visit hangs on its last 50 ms."""
    bare = found[0]["exponential"]

    assert bare.peak == 2000
    assert 3000 < bare.completed_s < 5000


def test_everyone_is_served_and_never_faster_than_the_server():
    outage = Outage(clients=500, outage_s=10.0, capacity_per_s=100.0)

    for policy in (RetryPolicy(1.0, 30.0, jitter=jitter) for jitter in Jitter):
        seen = recover(outage, wait=by_policy(policy), random=Random(7))

        assert len(seen.served_s) == 500
        assert list(seen.served_s) == sorted(seen.served_s)
        assert sum(seen.calls_by_second) == seen.calls
        # The burst is ten calls; the rest come at the server's pace.
        assert all(at_s >= (served - 9) / 100.0 - 1e-9 for served, at_s in enumerate(seen.served_s))


def test_an_outage_shorter_than_the_first_wait_costs_two_calls_each():
    outage = Outage(clients=50, outage_s=0.06, capacity_per_s=2000.0)
    policy = RetryPolicy(1.0, 1.0, jitter=Jitter.NONE)

    seen = recover(outage, wait=by_policy(policy), random=Random(1))

    assert seen.calls == 100
    assert seen.calls_in_outage == 50


def test_a_budget_saves_calls_in_the_outage_and_time_after_it(found: list[dict[str, Recovery]]):
    for one in found:
        budgeted, full = one["full jitter, budget"], one["full jitter"]

        assert len(budgeted.served_s) == 2000
        assert budgeted.calls_in_outage < 0.3 * full.calls_in_outage
        assert budgeted.calls < 0.4 * full.calls
        assert budgeted.completed_s < 0.6 * full.completed_s


def test_a_budget_lets_through_its_tokens_and_then_its_floor(found: list[dict[str, Recovery]]):
    """500 tokens of 14 are 35 retries, then one a second; 20 processes, 30 s, and 2,000 first calls."""
    at_most = 2000 + 20 * (35 + 30)

    for one in found:
        assert 0.95 * at_most < one["full jitter, budget"].calls_in_outage <= at_most
