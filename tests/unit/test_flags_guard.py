"""The guard's test: quick where a flag does harm, silent where it does none, however often it looks."""

import math
from random import Random

import pytest

from resilience.flags.guard import Block, Evidence, Guard

GUARD = Guard()
UNITS_PER_LOOK = 500  # 100 units a second, a look every five


def _block(random: Random, *, units: int, exposed: float, bad_on: float, bad_off: float) -> Block:
    on = sum(random.random() < exposed for _ in range(units))
    return Block(
        on=on,
        on_bad=sum(random.random() < bad_on for _ in range(on)),
        off=units - on,
        off_bad=sum(random.random() < bad_off for _ in range(units - on)),
    )


def _looks_to_convict(
    random: Random, *, looks: int, bad_on: float, bad_off: float, guard: Guard = GUARD
) -> int | None:
    evidence = Evidence()
    for look in range(1, looks + 1):
        block = _block(random, units=UNITS_PER_LOOK, exposed=0.2, bad_on=bad_on, bad_off=bad_off)
        evidence = evidence.after(block, guard=guard)
        if evidence.convicts(guard):
            return look
    return None


@pytest.mark.parametrize("seed", range(20))
def test_five_points_more_errors_convict_within_a_minute(seed: int):
    look = _looks_to_convict(Random(seed), looks=12, bad_on=0.06, bad_off=0.01)

    assert look is not None


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.05, 0.3])
def test_no_difference_is_never_found(rate: float):
    found = [_looks_to_convict(Random(seed), looks=24, bad_on=rate, bad_off=rate) for seed in range(25)]

    assert found == [None] * 25


def test_the_level_is_kept_where_it_is_large_enough_to_be_seen():
    # At a level of one in five, looking forty times: a test for a fixed number of units finds far more.
    guard = Guard(level=0.2)
    runs = 200
    found = sum(
        _looks_to_convict(Random(seed), looks=40, bad_on=0.05, bad_off=0.05, guard=guard) is not None
        for seed in range(runs)
    )

    # Three standard deviations above the promise.
    assert found / runs <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / runs)
    assert found > 0, "a test that cannot fail"


def test_a_flag_that_does_good_is_left_alone():
    assert _looks_to_convict(Random(1), looks=100, bad_on=0.01, bad_off=0.06) is None


def test_units_of_one_variant_alone_say_nothing():
    evidence = Evidence().after(Block(on=1000, on_bad=900), guard=GUARD)

    assert evidence.log_e == 0.0
    assert evidence.seen == Block(on=1000, on_bad=900)


def test_the_value_is_fair_whatever_the_block():
    """In a world without a difference, a block multiplies the e-value by one on average, or by less."""
    before = Evidence(Block(on=40, on_bad=6, off=160, off_bad=8), 0.0)
    rate, on, off = 0.1, 3, 5
    mean = 0.0
    for on_bad in range(on + 1):
        for off_bad in range(off + 1):
            chance = _binomial(on, on_bad, rate) * _binomial(off, off_bad, rate)
            after = before.after(Block(on, on_bad, off, off_bad), guard=GUARD)
            mean += chance * math.exp(after.log_e)

    assert mean == pytest.approx(1.0) or mean < 1.0


def _binomial(n: int, k: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)
