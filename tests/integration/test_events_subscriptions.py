from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from threading import Event as Signal

import pytest
from django.db import DataError, OperationalError, connection, transaction

from resilience import clock
from resilience.events import (
    AlreadyRedeliveredError,
    Counts,
    DeadLetterNotFoundError,
    EarlierLetterWaitsError,
    Event,
    Fact,
    RedeliveryFailedError,
    Subscription,
    append,
    lag,
    redeliver,
    run_once,
    subscribe,
    subscription_named,
)
from resilience.events import positions as positions_module
from resilience.events.models import DeadLetter, InboxEntry, SubscriptionState
from resilience.events.positions import PositionMovedError
from resilience.events.reading import SCAN_MAX
from resilience.ids import new_id
from resilience.retry import RetryPolicy
from tests.events_kit import (
    Happened,
    Ignored,
    apply_effects,
    create_effects,
    drop_effects,
    elsewhere,
    numbers,
    publish_committed,
    rows,
    run_until_idle,
    subscription,
    wait_until,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def effects() -> Iterator[None]:
    create_effects()
    yield
    drop_effects()


def effect_count() -> int:
    return rows("SELECT count(*) FROM test_effect")[0][0]


def test_an_event_arrives_as_it_was_told() -> None:
    seen: list[Event] = []
    aggregate, occurred_at = new_id(), clock.now() - timedelta(days=400)
    with transaction.atomic():
        append([Fact(aggregate, Happened(7))], occurred_at=occurred_at)

    counts = run_once(subscription("as-told", seen.extend))

    (event,) = seen
    assert counts == Counts(handled=1)
    assert (event.type, event.version, event.aggregate_type, event.aggregate_id, event.sequence) == (
        "test.happened",
        1,
        "test",
        aggregate,
        1,
    )
    assert event.data == {"number": 7}
    assert event.occurred_at == occurred_at
    assert clock.now() - event.recorded_at < timedelta(minutes=1)


def test_a_batch_is_bounded_and_the_next_goes_on_behind_it() -> None:
    batches: list[list[object]] = []
    reader = subscription("bounded", lambda events: batches.append(numbers(events)), batch_size=3)
    publish_committed(*[(new_id(), number) for number in range(7)])

    run_until_idle(reader)

    assert batches == [[0, 1, 2], [3, 4, 5], [6]]
    assert SubscriptionState.objects.get(name="bounded").handled == 7


def test_events_of_other_types_are_passed_over() -> None:
    seen: list[Event] = []
    reader = subscription("rare", seen.extend)
    with transaction.atomic():
        append([Fact(new_id(), Ignored(n)) for n in range(SCAN_MAX + 10)], occurred_at=clock.now())
    publish_committed((new_id(), 1))

    counts = run_until_idle(reader)

    assert numbers(seen) == [1]
    assert counts == Counts(handled=1, skipped=SCAN_MAX + 10)
    assert InboxEntry.objects.count() == 1


def test_a_subscription_to_every_type_gets_every_type() -> None:
    seen: list[Event] = []
    everything = Subscription("everything", None, seen.extend)
    with transaction.atomic():
        append([Fact(new_id(), Ignored(1)), Fact(new_id(), Happened(2))], occurred_at=clock.now())

    run_until_idle(everything)

    assert [event.type for event in seen] == ["test.ignored", "test.happened"]


def test_a_new_subscription_starts_at_the_beginning_or_now() -> None:
    old: list[Event] = []
    new: list[Event] = []
    from_start, from_now = (
        subscription("from-start", old.extend),
        subscription("from-now", new.extend, start="now"),
    )
    publish_committed((new_id(), 1))

    assert run_once(from_now).idle
    publish_committed((new_id(), 2))
    run_until_idle(from_start)
    run_until_idle(from_now)

    assert (numbers(old), numbers(new)) == ([1, 2], [2])


def test_a_paused_subscription_waits_and_misses_nothing() -> None:
    seen: list[Event] = []
    reader = subscription("paused", seen.extend)
    run_once(reader)
    SubscriptionState.objects.filter(name="paused").update(paused=True)
    publish_committed((new_id(), 1))

    assert run_once(reader).idle
    assert lag(reader).events == 1
    SubscriptionState.objects.filter(name="paused").update(paused=False)
    run_until_idle(reader)

    assert numbers(seen) == [1]


def test_the_effect_and_the_position_are_undone_together() -> None:
    reader = subscription("half-way", lambda events: (apply_effects(events), 1 / 0))
    publish_committed((new_id(), 1))

    assert run_once(reader) == Counts(failed=1)

    assert effect_count() == 0
    state = SubscriptionState.objects.get(name="half-way")
    assert (state.position_xid, state.position, state.handled, state.attempts) == (0, 0, 0, 1)
    assert state.error == "ZeroDivisionError: division by zero"
    assert InboxEntry.objects.count() == 0


def test_a_failing_batch_is_tried_event_by_event_and_the_bad_one_becomes_a_dead_letter() -> None:
    aggregate = new_id()

    def refuse_three(events: Sequence[Event]) -> None:
        apply_effects(events)
        if 3 in numbers(events):
            raise ValueError("three is right out")

    reader = subscription("refuses-three", refuse_three)
    seen_by_other: list[Event] = []
    publish_committed(*[(aggregate, number) for number in range(6)])

    counts = run_until_idle(reader)
    run_until_idle(subscription("takes-all", seen_by_other.extend))

    assert counts == Counts(handled=5, failed=3, died=1)
    assert rows("SELECT sequence FROM test_effect ORDER BY ordinal") == [(1,), (2,), (3,), (5,), (6,)]
    letter = DeadLetter.objects.get()
    assert (letter.subscription, letter.type, letter.version, letter.sequence, letter.attempts) == (
        "refuses-three",
        "test.happened",
        1,
        4,
        3,
    )
    assert letter.payload == {"number": 3}
    assert letter.error == "ValueError: three is right out"
    assert numbers(seen_by_other) == [0, 1, 2, 3, 4, 5]


def test_a_failed_event_waits_before_its_next_attempt() -> None:
    calls: list[Sequence[Event]] = []

    def fail(events: Sequence[Event]) -> None:
        calls.append(events)
        raise ValueError

    an_hour = RetryPolicy(wait_initial_s=3600.0, wait_max_s=3600.0, attempts_max=3)
    reader = subscription("waits", fail, retry=an_hour)
    publish_committed((new_id(), 1))

    assert run_once(reader) == Counts(failed=1)
    assert run_once(reader).idle
    SubscriptionState.objects.update(retry_at=clock.now())
    wait_until(lambda: not run_once(reader).idle)

    assert len(calls) == 2
    assert SubscriptionState.objects.get().attempts == 2


def test_a_handler_that_breaks_its_transaction_quietly_has_failed() -> None:
    def swallow(_events: Sequence[Event]) -> None:
        with suppress(DataError):
            rows("SELECT 1 / 0")

    reader = subscription("swallows", swallow)
    publish_committed((new_id(), 1))

    assert run_once(reader) == Counts(failed=1)


def test_a_handler_whose_commit_fails_has_failed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE test_deferred (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")

    def insert_twice(_events: Sequence[Event]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO test_deferred VALUES (1), (1)")

    reader = subscription("deferred", insert_twice)
    publish_committed((new_id(), 1))
    try:
        assert run_until_idle(reader) == Counts(failed=3, died=1)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE test_deferred")


def test_a_handler_that_dawdles_in_its_transaction_is_cut_off_and_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(positions_module, "_HANDLER_IDLE_MAX", "50ms")

    with elsewhere() as other:

        def dawdle(_events: Sequence[Event]) -> None:
            (process_id,) = rows("SELECT pg_backend_pid()")[0]
            wait_until(lambda: not other.do(lambda: rows(ALIVE, process_id)))

        publish_committed((new_id(), 1))
        counts = run_once(subscription("dawdles", dawdle))

    assert counts == Counts(failed=1)
    assert "idle-in-transaction timeout" in SubscriptionState.objects.get(name="dawdles").error


ALIVE = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"


def test_a_lost_connection_is_not_the_handlers_fault() -> None:
    with elsewhere() as other:

        def lose_connection(events: Sequence[Event]) -> None:
            (process_id,) = rows("SELECT pg_backend_pid()")[0]
            other.do(lambda: rows("SELECT pg_terminate_backend(%s, 5000)", process_id))
            apply_effects(events)

        reader = subscription("loses-connection", lose_connection)
        publish_committed((new_id(), 1))
        with pytest.raises(OperationalError):
            run_once(reader)
        connection.close()

    state = SubscriptionState.objects.get(name="loses-connection")
    assert (state.attempts, state.handled) == (0, 0)
    assert run_until_idle(subscription("loses-connection", apply_effects)).handled == 1


def test_one_process_at_a_time_handles_a_subscription() -> None:
    entered, leave = Signal(), Signal()

    def hold(events: Sequence[Event]) -> None:
        entered.set()
        assert leave.wait(20)
        apply_effects(events)

    publish_committed((new_id(), 1))
    with elsewhere() as holder:
        running = holder._thread.submit(lambda: run_once(subscription("held", hold)))
        assert entered.wait(20)

        assert run_once(subscription("held", apply_effects)).idle
        leave.set()

        assert running.result(timeout=20) == Counts(handled=1)
    assert run_once(subscription("held", apply_effects)).idle
    assert effect_count() == 1


def test_a_batch_is_undone_when_the_position_was_moved_under_it() -> None:
    with elsewhere() as operator:

        def handle(events: Sequence[Event]) -> None:
            apply_effects(events)
            operator.do(lambda: SubscriptionState.objects.filter(name="moved").update(position=1))

        publish_committed((new_id(), 1))
        with pytest.raises(PositionMovedError):
            run_once(subscription("moved", handle))

    assert effect_count() == 0
    assert InboxEntry.objects.count() == 0


def test_an_event_read_again_is_not_applied_again() -> None:
    reader = subscription("rewound", apply_effects)
    publish_committed((new_id(), 1), (new_id(), 2))
    run_until_idle(reader)

    SubscriptionState.objects.update(position_xid=0, position=0)
    publish_committed((new_id(), 3))
    run_until_idle(reader)

    assert effect_count() == 3


def test_a_dead_letter_is_redelivered_once() -> None:
    broken = [True]

    def handle(events: Sequence[Event]) -> None:
        apply_effects(events)
        if broken[0]:
            raise ValueError("broken")

    reader = subscribe(subscription("redelivers", handle))
    assert subscription_named("redelivers") is reader
    publish_committed((new_id(), 1))
    run_until_idle(reader)
    letter = DeadLetter.objects.get()

    with pytest.raises(RedeliveryFailedError):
        redeliver(letter.pk)
    assert (effect_count(), DeadLetter.objects.get().attempts) == (0, 4)
    broken[0] = False
    redeliver(letter.pk)
    with pytest.raises(AlreadyRedeliveredError):
        redeliver(letter.pk)

    assert effect_count() == 1
    assert DeadLetter.objects.get().redelivered_at is not None
    SubscriptionState.objects.update(position_xid=0, position=0)
    run_until_idle(reader)
    assert effect_count() == 1


def test_an_unknown_dead_letter_is_refused() -> None:
    with pytest.raises(DeadLetterNotFoundError):
        redeliver(new_id())


def test_behind_a_poisonous_event_its_aggregate_waits_in_order_and_others_go_on() -> None:
    heard: list[int] = []
    is_mended = []

    def handle(events: Sequence[Event]) -> None:
        if not is_mended and 2 in numbers(events):
            raise ZeroDivisionError
        heard.extend(numbers(events))

    reader = subscribe(subscription("parking", handle, on_poison="park"))
    sick, well = new_id(), new_id()
    publish_committed((sick, 1), (sick, 2), (well, 10), (sick, 3), (well, 11))
    run_until_idle(reader)
    publish_committed((sick, 4), (well, 12))
    run_until_idle(reader)
    letters = DeadLetter.objects.filter(subscription="parking").order_by("sequence")
    assert [number for number in heard if number < 10] == [1]
    assert heard[-1] == 12
    assert [(letter.payload["number"], letter.attempts) for letter in letters] == [(2, 3), (3, 0), (4, 0)]

    is_mended.append(True)
    with pytest.raises(EarlierLetterWaitsError, match=str(letters[0].pk)):
        redeliver(letters[1].pk)
    redeliver(letters[0].pk)
    publish_committed((sick, 5))  # behind two that still wait
    run_until_idle(reader)
    for letter in letters.filter(redelivered_at=None):
        redeliver(letter.pk)
    publish_committed((sick, 6))
    run_until_idle(reader)

    assert [number for number in heard if number < 10] == [1, 2, 3, 4, 5, 6]
