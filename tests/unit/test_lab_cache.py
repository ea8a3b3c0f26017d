"""A hot key runs out: figures of research/resilience.md 5, and laws that hold for every seed."""

import math
from random import Random

import pytest

from resilience.lab.cache import CacheSettings, rushes
from resilience.lab.stampede import Load, Rule, rush

BUSY = Load(reads_per_s=1000.0, ttl_s=60.0, rebuild_s=0.4, ttls=20)


def test_with_nothing_every_reader_of_a_rebuild_time_rebuilds():
    """Research: 384 per TTL at 1,000 reads a second, 1,798 at 5,000."""
    settings = CacheSettings()

    for rate, rebuilds in ((1000.0, 384), (5000.0, 1798)):
        bare = rushes(settings, reads_per_s=rate, seed=1)["nothing"]

        assert bare.rebuilds == pytest.approx(rebuilds, rel=0.06)
        assert bare.waited == bare.rebuilds
        assert bare.at_once_max >= 0.9 * rebuilds


def test_with_a_lock_only_one_rebuilds_and_the_others_wait():
    """Research: about 390 of them."""
    locked = rushes(CacheSettings(), reads_per_s=1000.0, seed=1)["lock only"]

    assert locked.rebuilds == 1.0
    assert locked.at_once_max == 1
    assert locked.waited == pytest.approx(390, rel=0.06)


def test_xfetch_alone_rebuilds_e_times():
    """Research: two or three, up to eleven at once.

    The first comes when the expected number reaches an exponential time E; until it ends, one rebuild time
    later, E * (e - 1) more come: with E of mean 1, e altogether.
    """
    long = Load(reads_per_s=1000.0, ttl_s=60.0, rebuild_s=0.4, ttls=200)

    alone = rush(load=long, rule=Rule(beta=1.0, is_single_flight=False, grace_s=0.0), random=Random(5))

    # It rebuilds some 2.6 s early, so the key is stored 60 / 57.4 times a TTL.
    assert alone.rebuilds == pytest.approx(math.e, rel=0.1)
    assert 5 <= alone.at_once_max <= 20
    assert alone.waited == 0.0


def test_xfetch_with_single_flight_rebuilds_once_and_nobody_waits():
    seen = rushes(CacheSettings(), reads_per_s=1000.0, seed=1)["XFetch, single flight"]

    assert 1.0 <= seen.rebuilds <= 1.05
    assert seen.at_once_max == 1
    assert seen.waited == 0.0


@pytest.mark.parametrize("rate", [1.0, 10.0, 100.0])
def test_our_read_through_keeps_nobody_waiting_at_any_rate(rate: float):
    for seed in range(5):
        found = rushes(CacheSettings(), reads_per_s=rate, seed=seed)

        assert found["ours"].waited == 0.0
        assert found["ours"].at_once_max == 1
        assert found["ours"].rebuilds <= 1.05
        # What the grace is for: without it, a quiet key lets its readers wait.
        if rate == 1.0:
            assert found["XFetch, single flight"].waited > 0.0


def test_a_key_that_nobody_read_within_the_grace_is_loaded_while_one_waits():
    seldom = Load(reads_per_s=0.001, ttl_s=60.0, rebuild_s=0.4, ttls=1000)

    seen = rush(load=seldom, rule=Rule(beta=1.0, is_single_flight=True, grace_s=30.0), random=Random(1))

    assert seen.got_stale + seen.waited <= seen.rebuilds
    assert seen.waited > 10 * seen.got_stale


def test_rebuilds_end_as_often_as_they_begin():
    seen = rush(load=BUSY, rule=Rule(beta=1.0, is_single_flight=True, grace_s=0.0), random=Random(1))

    counts = [count for _, count in seen.running]
    assert counts == [1, 0] * (len(counts) // 2)
    assert [at_s for at_s, _ in seen.running] == sorted(at_s for at_s, _ in seen.running)
