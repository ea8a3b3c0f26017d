"""Lanes: the events of a subscription handled at the same time, those of one aggregate in their order."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from threading import Barrier

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from resilience import clock
from resilience.events import Counts, Event, hold, lag, redeliver, run_once
from resilience.events import subscription as registry
from resilience.events.lag import OLDEST_AGES, lag_by_lane, registered
from resilience.events.models import DeadLetter, InboxEntry, SubscriptionState
from resilience.events.positions import LanesApartError
from resilience.events.steering import Instruction, pause, resume
from resilience.retry import RetryPolicy
from tests.events_kit import (
    aggregate_in,
    apply_effects,
    create_effects,
    drop_effects,
    elsewhere,
    lane_of,
    numbers,
    publish_committed,
    rows,
    run_until_idle,
    serving,
    subscription,
    wait_until,
)

pytestmark = pytest.mark.django_db(transaction=True)

AN_HOUR = RetryPolicy(wait_initial_s=3600.0, wait_max_s=3600.0, attempts_max=3)
LIMIT_S = 20.0


@pytest.fixture(autouse=True)
def effects() -> Iterator[None]:
    create_effects()
    yield
    drop_effects()


def because() -> Instruction:
    return Instruction("ann", "a test", clock.now())


def lanes_there_are() -> list[tuple[int, int]]:
    return list(SubscriptionState.objects.order_by("lane").values_list("lane", "lanes"))


def test_each_lane_gets_its_aggregates_events_in_their_order_and_nobody_elses() -> None:
    batches: list[list[Event]] = []
    reader = subscription("lanes", lambda events: batches.append(list(events)), lanes=3)
    aggregates = [aggregate_in(number % 3, 3) for number in range(30)]
    for _round in range(4):
        publish_committed(*((aggregate, 0) for aggregate in aggregates))

    counts = run_until_idle(reader)

    assert counts.handled == 120
    assert lanes_there_are() == [(0, 3), (1, 3), (2, 3)]
    assert all(len({lane_of(event.aggregate_id, 3) for event in batch}) == 1 for batch in batches)
    for aggregate in aggregates:
        sequences = [one.sequence for batch in batches for one in batch if one.aggregate_id == aggregate]
        assert sequences == [1, 2, 3, 4]
    assert list(SubscriptionState.objects.values_list("handled", flat=True)) == [40, 40, 40]
    assert InboxEntry.objects.values("subscription_id").distinct().count() == 1


def test_two_lanes_are_handled_at_the_same_moment() -> None:
    meeting = Barrier(2)

    def meet(events: Sequence[Event]) -> None:
        meeting.wait(LIMIT_S)
        apply_effects(events)

    reader = subscription("lanes", meet, lanes=2)
    run_until_idle(reader)
    publish_committed((aggregate_in(0, 2), 0), (aggregate_in(1, 2), 1))

    def run(share: int) -> Counts:
        try:
            return run_once(reader, share=share)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(run, range(2)))

    assert counts == [Counts(handled=1, skipped=1), Counts(handled=1, skipped=1)]
    assert rows("SELECT count(*) FROM test_effect") == [(2,)]


def test_a_process_serves_all_its_lanes_at_the_same_time() -> None:
    meeting = Barrier(4)

    with serving(subscription("lanes", lambda _events: meeting.wait(LIMIT_S), lanes=4)):
        publish_committed(*((aggregate_in(lane, 4), lane) for lane in range(4)))
        wait_until(lambda: InboxEntry.objects.count() == 4)

    assert not meeting.broken


def test_two_of_one_lane_do_not_handle_it_twice() -> None:
    inner: list[Counts] = []
    with elsewhere() as other:

        def handle(events: Sequence[Event]) -> None:
            inner.append(other.do(lambda: run_once(subscription("lanes", apply_effects, lanes=2), share=1)))
            apply_effects(events)

        publish_committed((aggregate_in(1, 2), 1))
        outer = run_until_idle(subscription("lanes", handle, lanes=2))

    assert (inner, outer.handled) == ([Counts()], 1)
    assert rows("SELECT count(*) FROM test_effect") == [(1,)]


def test_poison_holds_up_its_own_lane_and_no_other() -> None:
    heard: list[object] = []

    def handle(events: Sequence[Event]) -> None:
        if 13 in numbers(events):
            raise ZeroDivisionError
        heard.extend(numbers(events))

    reader = subscription("lanes", handle, lanes=2, retry=AN_HOUR)
    sick, beside, well = aggregate_in(0, 2), aggregate_in(0, 2), aggregate_in(1, 2)
    publish_committed((sick, 13), (beside, 1), (well, 2))
    run_until_idle(reader)
    publish_committed((well, 3))
    run_until_idle(reader)

    assert heard == [2, 3]
    behind = lag_by_lane(reader)
    assert [one.events for one in behind] == [2, 0]
    assert behind[1].oldest_age_s is None
    assert (lag(reader).events, lag(reader).oldest_age_s is None) == (2, False)


def test_behind_poison_an_aggregate_parks_in_its_lane() -> None:
    heard: list[object] = []
    is_mended: list[bool] = []

    def handle(events: Sequence[Event]) -> None:
        if not is_mended and 2 in numbers(events):
            raise ZeroDivisionError
        heard.extend(numbers(events))

    reader = registry.subscribe(subscription("lanes.parking", handle, lanes=2, on_poison="park"))
    sick, beside, well = aggregate_in(1, 2), aggregate_in(1, 2), aggregate_in(0, 2)
    publish_committed((sick, 2), (sick, 3), (beside, 10), (well, 20))
    run_until_idle(reader)
    assert sorted(map(int, map(str, heard))) == [10, 20]

    is_mended.append(True)
    for letter in DeadLetter.objects.order_by("sequence"):
        redeliver(letter.pk)
    SubscriptionState.objects.update(position_xid=0, position=0)
    run_until_idle(reader)

    # Redelivered from a lane that is not the first, they are in the inbox that all lanes share.
    assert sorted(map(int, map(str, heard))) == [2, 3, 10, 20]
    assert heard.index(2) < heard.index(3)


def test_paused_all_lanes_wait() -> None:
    reader = subscription("lanes", apply_effects, lanes=3)
    run_until_idle(reader)

    pause(reader, because())
    publish_committed(*((aggregate_in(lane, 3), lane) for lane in range(3)))
    assert run_until_idle(reader).idle
    assert lag(reader).events == 3
    resume(reader, because())

    assert run_until_idle(reader).handled == 3


def test_lanes_that_stand_apart_are_not_held_at_one_place() -> None:
    reader = subscription("lanes", apply_effects, lanes=2)
    run_until_idle(reader)
    with transaction.atomic(), hold("lanes") as place:
        assert (place.xid, place.position) == (0, 0)
    publish_committed((aggregate_in(0, 2), 0))
    run_until_idle(reader)

    with pytest.raises(LanesApartError), transaction.atomic(), hold("lanes"):
        pass


def test_the_slowest_lane_is_the_subscriptions_age_and_the_command_lists_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def handle(events: Sequence[Event]) -> None:
        if 13 in numbers(events):
            raise ZeroDivisionError("by thirteen")

    reader = subscription("lanes", handle, lanes=2, retry=AN_HOUR)
    idle = subscription("lanes.idle", apply_effects, lanes=2)
    for one in (reader, idle):
        monkeypatch.setitem(registry._subscriptions, one.name, one)
        run_until_idle(one)
    publish_committed((aggregate_in(1, 2), 13))
    run_until_idle(reader)
    # Others' events, that a lane has no reason to write a position for, are no lag of its.
    publish_committed((aggregate_in(0, 2), 0))
    run_until_idle(reader)
    run_until_idle(idle)

    ages = json.loads(rows(OLDEST_AGES, registered())[0][0])
    out = StringIO()
    call_command("subscriptions", "list", stdout=out)

    assert ages["lanes"] > 0
    assert ages["lanes.idle"] == 0
    lines = out.getvalue().splitlines()
    listed = lines.index(next(line for line in lines if line.startswith("lanes  follows  handled 1, 1 wait")))
    assert lines[listed + 1].startswith("  lane 0 of 2  handled 1, 0 waiting")
    assert lines[listed + 2].startswith("  lane 1 of 2  handled 0, 1 waiting, the oldest for ")
    assert lines[listed + 2].endswith("; failed 1 times: ZeroDivisionError: by thirteen")
