"""The traps of a log that many transactions write at once; each is held open on a real connection."""

from threading import Event as Signal

import pytest

from resilience.events import Event, history_of, lag, run_once
from resilience.events.models import LoggedEvent
from resilience.ids import new_id
from tests.events_kit import elsewhere, numbers, publish, publish_committed, run_until_idle, subscription

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_late_commit_of_a_lower_transaction_is_not_skipped() -> None:
    seen: list[Event] = []
    reader = subscription("late-commit", seen.extend)
    with elsewhere() as early:
        early.begin()
        early.do(lambda: publish((new_id(), 1)))
        publish_committed((new_id(), 2))

        assert run_once(reader).idle
        early.commit()
        run_until_idle(reader)

    assert numbers(seen) == [1, 2]


def test_an_old_transaction_that_publishes_last_does_not_turn_an_aggregate_round() -> None:
    seen: list[Event] = []
    reader = subscription("inversion", seen.extend)
    aggregate = new_id()
    with elsewhere() as old:
        old_xid = old.begin()
        publish_committed((aggregate, 1))
        old.do(lambda: publish((aggregate, 2)))
        old.commit()

    run_until_idle(reader)

    assert [(event.sequence, event.data["number"]) for event in seen] == [(1, 1), (2, 2)]
    xids = list(LoggedEvent.objects.order_by("sequence").values_list("xid", flat=True))
    assert xids[0] == xids[1] > old_xid


def test_a_reader_between_the_two_sees_them_in_order_too() -> None:
    seen: list[Event] = []
    reader = subscription("inversion-between", seen.extend)
    aggregate = new_id()
    with elsewhere() as old:
        old.begin()
        publish_committed((aggregate, 1))
        run_once(reader)
        old.do(lambda: publish((aggregate, 2)))
        run_once(reader)
        old.commit()
        publish_committed((aggregate, 3))
        run_until_idle(reader)

    assert numbers(seen) == [1, 2, 3]


def test_a_long_transaction_elsewhere_delays_but_never_loses() -> None:
    seen: list[Event] = []
    reader = subscription("long-transaction", seen.extend)
    with elsewhere() as bystander:
        bystander.begin()
        publish_committed(*[(new_id(), number) for number in range(5)])

        assert run_once(reader).idle
        behind = lag(reader)
        bystander.rollback()
        run_until_idle(reader)

    assert (behind.events, behind.bounded) == (5, False)
    assert behind.oldest_age_s is not None
    assert behind.oldest_age_s >= 0
    assert numbers(seen) == [0, 1, 2, 3, 4]
    assert lag(reader).events == 0


def test_two_publishers_to_one_aggregate_take_turns() -> None:
    aggregate = new_id()
    with elsewhere() as first, elsewhere() as second:
        first.begin()
        second.begin()
        first.do(lambda: publish((aggregate, 1)))
        waiting = second._thread.submit(lambda: publish((aggregate, 2)))
        first.commit()
        waiting.result(timeout=20)
        second.commit()

    assert numbers(history_of("test", aggregate, limit=5)) == [1, 2]


def test_a_handler_that_takes_its_time_holds_nobody_else_back() -> None:
    entered, leave = Signal(), Signal()

    def dawdle(_events: object) -> None:
        entered.set()
        assert leave.wait(20)

    slow, seen = subscription("slow", dawdle), []
    quick = subscription("quick", seen.extend)
    publish_committed((new_id(), 1))
    with elsewhere() as slow_process:
        running = slow_process._thread.submit(lambda: run_once(slow))
        assert entered.wait(20)
        publish_committed((new_id(), 2))

        run_until_idle(quick)
        seen_meanwhile = numbers(seen)
        leave.set()

        assert running.result(timeout=20).handled == 1
    assert seen_meanwhile == [1, 2]
