"""Coupled and decoupled orders: the simulation against the formulae, and the formulae against known cases."""

import math
from random import Random

import pytest

from resilience.lab.availability import AvailabilitySettings, serve
from resilience.lab.outages import Part, coupled_availability, draw_part, settle, settled_within
from resilience.retry import Jitter, RetryPolicy

ALWAYS_UP = Part(())
EVERY_SECOND = RetryPolicy(1.0, 1.0, jitter=Jitter.NONE)


def test_a_part_is_down_from_each_failure_to_its_repair():
    part = Part((10.0, 12.0, 20.0, 25.0))

    assert [part.is_up(at_s) for at_s in (0.0, 9.9, 10.0, 11.9, 12.0, 19.9, 20.0, 24.9, 25.0, 99.0)] == [
        True, True, False, False, True, True, False, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize("availability", [0.5, 0.9, 0.99])
def test_a_drawn_part_is_up_as_often_as_asked(availability: float):
    until_s = 3000 * 60.0 / (1.0 - availability)

    part = draw_part(availability=availability, repair_s=60.0, until_s=until_s, random=Random(1))

    downs = zip(part.changes_s[::2], part.changes_s[1::2], strict=True)
    down_s = sum(back_s - gone_s for gone_s, back_s in downs)
    assert down_s / part.changes_s[-1] == pytest.approx(1.0 - availability, rel=0.1)


def test_a_part_that_never_fails_is_always_up():
    part = draw_part(availability=1.0, repair_s=60.0, until_s=1e9, random=Random(1))

    assert part == ALWAYS_UP


def test_an_order_settles_with_the_first_try_after_each_repair():
    first, second = Part((0.0, 2.5)), Part((0.0, 4.2))

    took_s = settle(
        placed_s=0.0, parts=(first, second), database=ALWAYS_UP, policy=EVERY_SECOND, random=Random(1)
    )

    # Tried at 1, 2 and 3 for the first part; then at 4 and 5 for the second.
    assert took_s == 5.0


def test_no_step_is_done_without_the_database():
    took_s = settle(
        placed_s=1.0, parts=(ALWAYS_UP,), database=Part((0.5, 3.5)), policy=EVERY_SECOND, random=Random(1)
    )

    assert took_s == 3.0


def test_the_formulae_know_the_plain_cases():
    assert coupled_availability(parts=5, availability=0.99, database=1.0) == pytest.approx(0.99**5)
    # At once: as good as coupled. For ever: everything. One part: the exponential law.
    assert settled_within(limit_s=0.0, parts=5, availability=0.99, repair_s=60.0) == pytest.approx(0.99**5)
    assert settled_within(limit_s=1e6, parts=5, availability=0.5, repair_s=60.0) == pytest.approx(1.0)
    assert settled_within(limit_s=60.0, parts=1, availability=0.9, repair_s=60.0) == pytest.approx(
        0.9 + 0.1 * (1.0 - math.exp(-1.0))
    )


def test_the_simulation_agrees_with_the_formulae():
    settings = AvailabilitySettings(parts=6, availability=0.97, database=0.999, within_s=900.0)

    for one in serve(settings, seed=3):
        coupled = coupled_availability(parts=one.parts, availability=0.97, database=0.999)
        in_time = 0.999 * settled_within(
            limit_s=900.0, parts=one.parts, availability=0.97, repair_s=settings.repair_s
        )
        assert one.coupled == pytest.approx(coupled, abs=0.006)
        assert one.accepted == pytest.approx(0.999, abs=0.001)
        # The engine sees a repair at its next try, on average 15 s late, so a little less is in time.
        assert in_time - 0.004 < one.in_time <= in_time + 0.001


def test_decoupled_accepts_what_coupled_refuses():
    last = serve(AvailabilitySettings(), seed=1)[-1]

    assert last.coupled == pytest.approx(0.95, abs=0.005)
    assert last.accepted > 0.999
    assert last.coupled < last.in_time <= last.accepted
    assert len(last.settled_s) == round(last.accepted * 20000)
