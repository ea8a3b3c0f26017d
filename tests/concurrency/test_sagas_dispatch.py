"""The dispatcher rings each due saga once, and again when its hint is lost with the broker."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from uuid import UUID

import pytest
import redis
from django.conf import settings
from django.db import connection, transaction

from resilience.retry import RetryPolicy
from resilience.saga import dispatch, dispatcher
from resilience.saga.dispatch import Counts, run_once
from resilience.saga.models import Saga
from tests.orders_kit import place, runner, saga_ids, stock
from tests.processes import wait_until
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)
ORDERS = 40
AGAIN_AFTER_S = 0.5


@pytest.fixture
def due() -> set[UUID]:
    """The sagas of some orders, all due."""
    stock(ORDERS)
    return set(saga_ids([place() for _order in range(ORDERS)]))


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    """The broker of this session, with an empty queue."""
    client = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    client.delete(dispatcher.QUEUE)
    yield client
    client.delete(dispatcher.QUEUE)
    client.close()


class Bell:
    """Hears what is rung for; raises while it is broken."""

    def __init__(self) -> None:
        self.heard: list[UUID] = []
        self.is_broken = False

    def publish(self, ids: Sequence[UUID]) -> None:
        if self.is_broken:
            raise redis.ConnectionError("the broker is away")
        self.heard += ids

    def queued(self) -> int:
        return 0


def test_two_dispatchers_at_once_ring_for_different_sagas(due: set[UUID]) -> None:
    bells = [Bell() for _dispatcher in range(4)]

    counts = at_once(
        [
            lambda bell=bell: run_once(publish=bell.publish, queued=bell.queued, batch_max=1)  # type: ignore[misc]
            for bell in bells
        ]
    )

    heard = [saga_id for bell in bells for saga_id in bell.heard]
    assert len(heard) == len(set(heard)) == sum(count.sagas for count in counts)
    rest = Bell()
    while run_once(publish=rest.publish, queued=rest.queued) != Counts():
        pass
    assert sorted(heard + rest.heard) == sorted(due)


def test_sagas_that_another_dispatcher_has_locked_are_skipped_not_waited_for(due: set[UUID]) -> None:
    locked = set(list(due)[: ORDERS // 2])
    bell = Bell()

    with _locked(locked):
        run_once(publish=bell.publish, queued=bell.queued)

    assert set(bell.heard) == due - locked


def test_what_could_not_be_sent_is_rung_for_again(due: set[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "AGAIN_AFTER_S", AGAIN_AFTER_S)
    bell = Bell()
    bell.is_broken = True
    with pytest.raises(redis.ConnectionError):
        run_once(publish=bell.publish, queued=bell.queued)
    bell.is_broken = False

    at_once_again = run_once(publish=bell.publish, queued=bell.queued)
    wait_until(
        lambda: set(bell.heard) == due,
        limit_s=AGAIN_AFTER_S + 5,
        meanwhile=lambda: run_once(publish=bell.publish, queued=bell.queued),
    )

    assert at_once_again == Counts()
    assert sorted(bell.heard) == sorted(due)


def test_a_saga_is_rung_for_once_while_its_hint_is_fresh(due: set[UUID]) -> None:
    bell = Bell()

    rounds = [run_once(publish=bell.publish, queued=bell.queued) for _round in range(5)]

    assert rounds[1:] == [Counts()] * 4
    assert sorted(bell.heard) == sorted(due)


def test_a_saga_that_somebody_carries_or_has_carried_is_not_rung_for(
    due: set[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "AGAIN_AFTER_S", 0.0)
    carried, ended = sorted(due)[:2]
    Saga.objects.filter(pk=ended).update(status="completed", due_at=None)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE resilience_saga SET lease_until = clock_timestamp() + interval '1 hour' WHERE id = %s",
            [carried],
        )
    bell = Bell()

    run_once(publish=bell.publish, queued=bell.queued)

    assert set(bell.heard) == due - {carried, ended}


def test_a_full_queue_is_not_filled_further(due: set[UUID]) -> None:
    bell = Bell()

    assert run_once(publish=bell.publish, queued=lambda: dispatch.QUEUE_MAX) == Counts()
    assert Saga.objects.filter(rung_at=None).count() == len(due)


def test_a_broker_that_lost_its_memory_is_told_again(
    due: set[UUID], broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "AGAIN_AFTER_S", AGAIN_AFTER_S)

    with _dispatching():
        wait_until(lambda: broker.llen(dispatcher.QUEUE))
        wait_until(lambda: not Saga.objects.filter(rung_at=None).exists())
        first = Saga.objects.order_by("rung_at")[0].rung_at
        broker.delete(dispatcher.QUEUE)
        wait_until(lambda: not Saga.objects.filter(rung_at__lte=first).exists())
        wait_until(lambda: broker.llen(dispatcher.QUEUE))


def test_the_dispatcher_outlives_its_broker(due: set[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "AGAIN_AFTER_S", AGAIN_AFTER_S)
    monkeypatch.setattr(dispatcher, "TROUBLE", RetryPolicy(wait_initial_s=0.02, wait_max_s=0.05))
    bell = Bell()
    bell.is_broken = True
    monkeypatch.setattr(dispatcher, "_Broker", lambda: _Phone(bell))

    with _dispatching() as thread:
        wait_until(lambda: Saga.objects.filter(rung_at__isnull=False).exists())
        assert bell.heard == []
        bell.is_broken = False
        wait_until(lambda: set(bell.heard) == due)
        assert thread.is_alive()


def test_a_hint_for_nothing_is_harmless(due: set[UUID]) -> None:
    unknown = UUID("01890000-0000-7000-8000-000000000000")
    Saga.objects.update(due_at="2100-01-01T00:00:00Z")

    counts = runner(lease_s=5).run([unknown, *due])

    assert counts.claimed == 0
    assert not Saga.objects.exclude(fence=0).exists()


class _Phone(Bell):
    """A bell that one can forget, as the dispatcher does with a broker in trouble."""

    def __init__(self, bell: Bell) -> None:
        super().__init__()
        self.publish = bell.publish  # type: ignore[method-assign]

    def forget(self) -> None:
        """There is no connection."""


@contextmanager
def _dispatching() -> Iterator[threading.Thread]:
    stopping = threading.Event()

    def loop() -> None:
        try:
            dispatcher.loop(stopping, random=Random(1))
        finally:
            connection.close()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stopping.set()
        thread.join(10)
    assert not thread.is_alive()


@contextmanager
def _locked(ids: set[UUID]) -> Iterator[None]:
    """Hold the row locks of these sagas on another connection."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                list(Saga.objects.select_for_update().filter(pk__in=ids))
                held.set()
                release.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(10)
        yield
    finally:
        release.set()
        thread.join(10)
