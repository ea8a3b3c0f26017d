"""Another number of lanes while events come: nothing lost, nothing twice, every aggregate in its order."""

from collections.abc import Iterator, Sequence

import pytest

from resilience.events import Event, dead_letters, run_once
from resilience.events.lanes import ask_lanes
from resilience.events.models import DeadLetter, SubscriptionState
from resilience.events.positions import PositionMovedError
from resilience.retry import RetryPolicy
from tests.events_kit import (
    aggregate_in,
    apply_effects,
    create_effects,
    drop_effects,
    publish_committed,
    rows,
    run_until_idle,
    subscription,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def effects() -> Iterator[None]:
    create_effects()
    yield
    drop_effects()


def lanes_there_are() -> list[tuple[int, int]]:
    return list(SubscriptionState.objects.order_by("lane").values_list("lane", "lanes"))


def places() -> set[tuple[int, int]]:
    return set(SubscriptionState.objects.values_list("position_xid", "position"))


@pytest.mark.parametrize(("before", "after"), [(1, 4), (2, 3), (3, 2), (4, 1)])
def test_another_number_loses_nothing_repeats_nothing_and_keeps_the_order(before: int, after: int) -> None:
    old = subscription("lanes", apply_effects, lanes=before, batch_size=7)
    new = subscription("lanes", apply_effects, lanes=after, batch_size=7)
    aggregates = [aggregate_in(number % before, before) for number in range(12)]
    run_until_idle(old)
    for _round in range(5):
        publish_committed(*((aggregate, 0) for aggregate in aggregates))
    # One lane is far ahead, another behind, the rest have not begun.
    for _run in range(3):
        run_once(old, share=before - 1)
    run_once(old)
    ahead = places()

    ask_lanes(new)
    publish_committed(*((aggregate, 0) for aggregate in aggregates))
    run_until_idle(new)

    assert len(ahead) == min(before, 3)
    assert lanes_there_are() == [(lane, after) for lane in range(after)]
    assert rows("SELECT count(*), count(DISTINCT event_id) FROM test_effect") == [(72, 72)]
    for aggregate in aggregates:
        applied = rows("SELECT sequence FROM test_effect WHERE aggregate_id = %s ORDER BY ordinal", aggregate)
        assert applied == [(1,), (2,), (3,), (4,), (5,), (6,)]
    assert sum(SubscriptionState.objects.values_list("handled", flat=True)) == 72


def test_before_a_change_no_lane_goes_beyond_the_foremost() -> None:
    reader = subscription("lanes", apply_effects, lanes=2)
    run_until_idle(reader)
    ids = [aggregate_in(0, 2), aggregate_in(1, 2)]
    publish_committed((ids[1], 0), (ids[0], 0))
    run_once(reader, share=0)
    (bar,) = {place for place in places() if place != (0, 0)}

    ask_lanes(subscription("lanes", apply_effects, lanes=5))
    publish_committed((ids[0], 1), (ids[1], 1))
    assert run_once(reader, share=0).idle
    assert run_once(reader, share=1).handled == 1
    assert places() == {bar}

    assert run_until_idle(reader).handled == 2
    assert lanes_there_are() == [(lane, 5) for lane in range(5)]


def test_whoever_declares_fewer_or_more_serves_the_lanes_that_there_are() -> None:
    run_until_idle(subscription("lanes", apply_effects, lanes=3))
    publish_committed(*((aggregate_in(lane, 3), lane) for lane in range(3)))

    assert run_until_idle(subscription("lanes", apply_effects, lanes=1)).handled == 3
    publish_committed(*((aggregate_in(lane, 3), lane) for lane in range(3)))
    assert run_until_idle(subscription("lanes", apply_effects, lanes=5)).handled == 3

    assert lanes_there_are() == [(0, 3), (1, 3), (2, 3)]


def test_a_failure_of_a_lane_that_is_no_more_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number changes between the handler's failure and the burial: the row is another lane's now."""

    def fail(_events: Sequence[Event]) -> None:
        raise ZeroDivisionError

    once = RetryPolicy(wait_initial_s=0.0, wait_max_s=0.0, attempts_max=1)
    mended = subscription("lanes", apply_effects, lanes=3)
    failing = subscription("lanes", fail, lanes=2, retry=once)
    run_until_idle(failing)
    publish_committed(*((aggregate_in(lane, 6), lane) for lane in range(6)), (aggregate_in(1, 2), 6))
    describe = dead_letters.describe

    def change_meanwhile(error: BaseException | None) -> str:
        ask_lanes(mended)
        run_once(subscription("lanes", apply_effects, lanes=3, batch_size=1), share=2)
        return describe(error)

    monkeypatch.setattr(dead_letters, "describe", change_meanwhile)
    with pytest.raises(PositionMovedError):
        run_once(failing, share=1, limit=1)
    run_until_idle(mended)

    assert not DeadLetter.objects.exists()
    assert rows("SELECT count(*), count(DISTINCT event_id) FROM test_effect") == [(7, 7)]
