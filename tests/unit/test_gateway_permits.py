"""An account that hangs holds its own permits and no more: others are asked, and no attempt is spent."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from payments.gateways import permits, registry
from payments.gateways.base import Answer, Request, Succeeded, Throttled
from payments.states import OperationKind, Phase
from payments.steps.authorize_payments import authorization
from payments.steps.exchange import Exchange, Mode
from payments.steps.interpret import interpret
from payments.steps.observe_payments import Look
from payments.tenders import LiveOperation
from payments.testing import FakeGateway
from resilience.clock import now
from resilience.ids import new_id
from resilience.retry import Trouble
from resilience.saga.outcomes import Failed, InDoubt
from resilience.saga.tasks import CALLS_MAX
from tests.processes import wait_until
from tests.unit.situations import PENDING


class HangingGateway(FakeGateway):
    """Accepts, and answers when it is told to."""

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self.released = threading.Event()

    def send(self, request: Request) -> Answer:
        assert self.released.wait(20)
        return super().send(request)


@pytest.fixture
def hanging() -> Iterator[HangingGateway]:
    fake = HangingGateway(name="hanging")
    registry.install(fake)
    registry.install(FakeGateway(name="sound"))
    yield fake
    fake.released.set()
    registry.reset()


def exchange(account: str, *, mode: Mode = Mode.SEND) -> Exchange:
    operation = LiveOperation(
        id=new_id(),
        kind=OperationKind.AUTHORIZE,
        gateway=account,
        key=f"authorize-{new_id()}",
        amount_minor=PENDING.amount_minor,
        phase=Phase.SENT,
        created_at=now(),
        sent_at=now() - timedelta(seconds=1),
    )
    return Exchange(PENDING, operation, authorization(PENDING, operation.key), mode, fallback="sound")


def test_a_hanging_account_leaves_threads_for_the_others(
    hanging: HangingGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permits.permits_of("hanging"), "wait_s_max", 20.0)

    with ThreadPoolExecutor(CALLS_MAX) as pool:
        # More than all threads can take, all at the account that hangs.
        stuck = [pool.submit(exchange("hanging")) for _ in range(2 * CALLS_MAX)]
        wait_until(lambda: permits.permits_of("hanging").in_flight == permits.PERMITS_MAX)
        wait_until(lambda: sum(one.done() for one in stuck) == 2 * CALLS_MAX - 128)

        assert isinstance(pool.submit(exchange("sound")).result(20).answer, Succeeded)

        assert len(hanging.requests) == 0
        assert permits.permits_of("hanging").in_flight == permits.PERMITS_MAX
        hanging.released.set()
    answers = [one.result(20).answer for one in stuck]
    assert sum(isinstance(answer, Succeeded) for answer in answers) == len(hanging.requests) == 128
    assert answers.count(Throttled(1.0)) == 2 * CALLS_MAX - 128
    assert permits.permits_of("hanging").in_flight == 0


@pytest.mark.parametrize("mode", [Mode.SEND, Mode.ASK])
def test_over_the_permits_nothing_is_sent_and_no_attempt_is_spent(
    hanging: HangingGateway, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    monkeypatch.setattr(permits.permits_of("hanging"), "permits_max", 0)
    monkeypatch.setattr(permits.permits_of("hanging"), "wait_s_max", 0.0)

    answered = exchange("hanging", mode=mode)()
    meaning = interpret(answered, now=now())

    assert (hanging.requests, hanging.lookups) == ([], [])
    if mode is Mode.SEND:
        assert meaning.outcome == Failed("throttled", 1.0, spends_attempt=False, trouble=Trouble.OVERLOAD)
        assert [change.phase for change in meaning.operations] == [Phase.PREPARED]
    else:
        assert meaning.outcome == InDoubt("throttled", 1.0)
        assert [change.phase for change in meaning.operations] == [Phase.IN_DOUBT]


def test_a_look_asks_within_the_same_permits(
    hanging: HangingGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permits.permits_of("hanging"), "permits_max", 0)
    monkeypatch.setattr(permits.permits_of("hanging"), "wait_s_max", 0.0)

    assert Look("hanging", "pi_1")() == Throttled(1.0)
