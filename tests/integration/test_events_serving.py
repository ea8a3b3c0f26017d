import time
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from threading import Event as Signal
from threading import get_ident

import pytest

from resilience import clock, pulse
from resilience.events import Event
from resilience.events import serving as serving_module
from resilience.events.delivery import Counts
from resilience.events.serving import _rest_after_s, _wait_after_s
from resilience.ids import new_id
from resilience.limits.backlog import orders_wait
from resilience.saga.models import Saga
from tests.events_kit import elsewhere, numbers, publish_committed, rows, serving, subscription, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_broken_subscription_delays_nobody() -> None:
    seen: list[Event] = []
    tried: list[int] = []

    def fail(_events: Sequence[Event]) -> None:
        tried.append(get_ident())
        raise ValueError

    with serving(subscription("always-fails", fail), subscription("serves", seen.extend)):
        publish_committed(*[(new_id(), number) for number in range(5)])

        wait_until(lambda: numbers(seen) == [0, 1, 2, 3, 4])
        wait_until(lambda: len(tried) > 5)

    assert rows("SELECT count(*) FROM resilience_dead_letter")[0][0] >= 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_handler_that_ends_its_thread_is_served_again() -> None:
    seen: list[Event] = []

    def exit_once(events: Sequence[Event]) -> None:
        seen.extend(events)
        if len(seen) == 1:
            raise SystemExit

    with serving(subscription("exits", exit_once)):
        publish_committed((new_id(), 1))

        wait_until(lambda: numbers(seen) == [1, 1])


def test_a_lost_connection_is_opened_again() -> None:
    seen: list[Event] = []
    backends: list[int] = []

    def handle(events: Sequence[Event]) -> None:
        seen.extend(events)
        backends.append(rows("SELECT pg_backend_pid()")[0][0])

    with serving(subscription("reconnects", handle)), elsewhere() as other:
        publish_committed((new_id(), 1))
        wait_until(lambda: len(backends) == 1)
        other.do(lambda: rows("SELECT pg_terminate_backend(%s, 5000)", backends[0]))
        publish_committed((new_id(), 2))

        wait_until(lambda: len(backends) == 2)

    assert numbers(seen) == [1, 2]
    assert backends[0] != backends[1]


def test_polling_slows_down_while_nothing_happens() -> None:
    waits = [0.0]
    for _poll in range(5):
        waits.append(_wait_after_s(waits[-1], Counts(), batch_size=1000))

    assert waits == [0.0, 0.05, 0.1, 0.2, 0.25, 0.25]


def test_the_busier_the_larger_a_batch_and_no_full_one_waits() -> None:
    waits = [_wait_after_s(0.25, Counts(handled=read), batch_size=1000) for read in (1, 50, 150, 400, 999)]

    assert waits == [0.05, 0.05, 0.15, 0.25, 0.25]
    assert _wait_after_s(0.25, Counts(handled=600, skipped=400), batch_size=1000) == 0.0


def test_who_is_patient_rests_while_orders_wait_and_never_for_long() -> None:
    rests = [_rest_after_s(worked_s) for worked_s in (0.0, 0.01, 0.1, 30.0)]

    assert rests == pytest.approx([0.0, 0.19, 1.9, 3.0])


def test_while_orders_wait_only_the_patient_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "orders_wait", lambda: True)
    monkeypatch.setattr(serving_module, "_rest_after_s", lambda _worked_s: 2.0)
    waits: dict[bool, list[float]] = {True: [], False: []}
    for is_patient, kept in waits.items():
        reader = subscription(f"patient-{is_patient}", lambda _events: None, is_patient=is_patient)
        serving_module._follow(reader, 0, _Waits(kept), Random(1))

    assert waits[True] == [0.0, 2.0, 2.0]
    assert waits[False][0] == 0.0
    assert max(waits[False]) < 0.3


def test_patience_ends_for_who_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "orders_wait", lambda: True)
    monkeypatch.setattr(serving_module, "_rest_after_s", lambda _worked_s: 2.0)
    monkeypatch.setattr(serving_module, "_PATIENCE_S", 0.0)
    kept: list[float] = []

    serving_module._follow(
        subscription("behind", lambda _events: None, is_patient=True), 0, _Waits(kept), Random(1)
    )

    assert max(kept) < 0.3


def test_orders_wait_while_no_worker_takes_what_is_due() -> None:
    def due(count: int, **of: object) -> None:
        for _saga in range(count):
            moment = clock.now() - timedelta(seconds=60)
            Saga.objects.create(
                definition="place_order",
                version=1,
                business_key=new_id(),
                due_at=moment,
                deadline_at=moment,
                created_at=moment,
                **of,
            )

    assert not orders_wait()
    # Those that a worker has, and a message's worth of others, are nobody that waits.
    due(60, lease_owner="worker", lease_until=clock.now() + timedelta(minutes=5))
    due(32)
    pulse.wait_for_turn("default", after=time.monotonic(), limit_s=30.0)
    pulse.wait_for_turn("default", after=time.monotonic(), limit_s=30.0)
    assert not orders_wait()

    due(1)

    wait_until(orders_wait)


class _Waits(Signal):
    """Notes each wait, does not wait, and is set at the third."""

    def __init__(self, kept: list[float]) -> None:
        super().__init__()
        self._kept = kept

    def wait(self, timeout: float | None = None) -> bool:
        self._kept.append(timeout or 0.0)
        return len(self._kept) == 3
