"""A gateway that is down: sagas wait for its breaker, spend nothing on it, and lose nothing by it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from orders.models import Order
from payments.gateways import registry
from payments.gateways.base import InDoubt, NotSent, Throttled
from payments.gateways.guarded import POLICY, breaker_name
from payments.gateways.stripe import StripeGateway
from payments.models import Operation
from payments.states import Phase
from payments.steps import exchange
from resilience.breaker import BreakerState, Circuit, Force, breaker
from resilience.breaker.forced import Override
from resilience.deadlines import within
from resilience.health.check import Status, checks
from resilience.saga.models import Saga
from tests.conftest import SandboxClient
from tests.orders_kit import books, carry_once, carry_to_the_end, payments, place, stock

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = 8


class Line:
    """The wire to the sandbox: whole, cut (nobody listens), or one that loses what comes back."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self.sandbox = sandbox
        self.dead = socket.socket()
        self.dead.bind(("127.0.0.1", 0))  # and nobody listens

    @property
    def breaker(self) -> Circuit:
        return breaker(breaker_name(self.sandbox.name))

    def cut(self) -> None:
        self._install(f"http://127.0.0.1:{self.dead.getsockname()[1]}")

    def mend(self) -> None:
        self._install(self.sandbox.url)

    def _install(self, url: str) -> None:
        registry.install(StripeGateway(name=self.sandbox.name, secret_key=self.sandbox.secret_key, url=url))


@pytest.fixture
def line(sandbox: SandboxClient) -> Iterator[Line]:
    one = Line(sandbox)
    yield one
    one.dead.close()
    registry.reset()


def sagas(order_ids: list[UUID]) -> list[Saga]:
    return list(Saga.objects.filter(business_key__in=order_ids))


def test_while_a_gateway_is_down_sagas_wait_and_spend_no_attempt_and_end_well(line: Line) -> None:
    stock(ORDERS)
    orders = [place() for _ in range(ORDERS)]
    line.cut()

    for _round in range(4):
        carry_once(orders)

    assert line.breaker.footing.own.state in (BreakerState.OPEN, BreakerState.HALF_OPEN)
    assert line.breaker.rejected > ORDERS
    assert {saga.attempt for saga in sagas(orders)} == {0}
    assert {saga.status for saga in sagas(orders)} == {"running"}
    operations = Operation.objects.filter(payment__order_id__in=orders)
    assert {operation.phase for operation in operations} == {Phase.PREPARED}

    line.mend()
    carry_to_the_end(orders, within_s=60)

    assert set(Order.objects.filter(pk__in=orders).values_list("status", flat=True)) == {"confirmed"}
    book = line.sandbox.orders()
    assert [books(order_id, book).captures for order_id in orders] == [1] * ORDERS
    assert Operation.objects.filter(payment__order_id__in=orders).count() == 2 * ORDERS


def test_a_held_back_saga_comes_back_when_the_breaker_says(line: Line) -> None:
    stock(1)
    order_id = place()
    line.breaker.footing.own = line.breaker.footing.own.__class__(
        BreakerState.OPEN, version=1, since=time.monotonic(), until=time.monotonic() + 20, wait_s=5
    )
    line.breaker.force(None)

    carry_once([order_id])

    [saga] = sagas([order_id])
    step = saga.log.get(step="authorize_payment")
    assert 19 < step.delay_s < 31
    assert "breaker is open" in step.error
    assert (saga.attempt, saga.waits) == (0, 1)


def test_what_is_in_doubt_stays_so_while_the_breaker_is_open(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "READS_LAG_MAX", timedelta(seconds=0))
    stock(1)
    order_id = place()
    line.sandbox.faults({"fault": "reset_after", "operation": "create", "times": 1})
    carry_once([order_id])
    assert _phases(order_id) == [Phase.IN_DOUBT]
    line.breaker.force(Override(Force.FORCED_OPEN, "ann", "a drill", time.monotonic() + 3600))

    for _round in range(5):
        carry_once([order_id])

    assert _phases(order_id) == [Phase.IN_DOUBT]
    assert payments(order_id)[0].in_doubt_since is not None
    assert line.breaker.rejected == 5
    line.breaker.force(None)
    carry_to_the_end([order_id], within_s=60)
    assert books(order_id, line.sandbox.orders()).captures == 1
    assert _phases(order_id) == [Phase.SETTLED, Phase.SETTLED]


def test_health_says_which_account_waits_and_what_that_means(line: Line) -> None:
    name = f"gateway:{line.sandbox.name}"
    # Settings of a process are read at its start, and this one's are the session's.
    check = next(check for check in checks() if check.name == name)
    assert check.look().status is Status.PASS

    line.breaker.force(Override(Force.FORCED_OPEN, "ann", "a drill", time.monotonic() + 3600))

    finding = check.look()
    assert finding.status is Status.FAIL
    assert finding.output == "Its breaker is forced open: a drill"
    assert check.meaning.startswith(f"Payments through {line.sandbox.name} wait, none is lost")


def _phases(order_id: UUID) -> list[str]:
    found = Operation.objects.filter(payment__order_id=order_id).order_by("created_at")
    return list(found.values_list("phase", flat=True))


def test_a_payment_goes_to_the_other_account_when_the_breaker_of_the_first_is_open(
    sandbox: SandboxClient, settings: Any
) -> None:
    settings.GATEWAYS = [
        {"name": "a", "secret_key": sandbox.secret_key, "url": sandbox.url, "weight": 1},
        {"name": "b", "secret_key": sandbox.secret_key, "url": sandbox.url, "weight": 0},
    ]
    registry.reset()
    stock(1)
    order_id = place()
    breaker("gateway:a").force(Override(Force.FORCED_OPEN, "ann", "a drill", time.monotonic() + 3600))

    carry_to_the_end([order_id], within_s=30)

    assert payments(order_id)[0].gateway == "b"
    assert breaker("gateway:a").tally.window.count(time.monotonic()).started == 0
    assert books(order_id, sandbox.orders()).captures == 1
    registry.reset()


# One request and its answer


@contextmanager
def answering(reply: bytes | None) -> Iterator[str]:
    """Serve one address that answers each connection with `reply`; None hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    wire, _address = listener.accept()
                except OSError:
                    return
                with wire:
                    wire.recv(65536)
                    if reply is not None:
                        wire.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def reply(status: int, headers: str = "") -> bytes:
    body = b'{"error": {"type": "api_error", "code": "x"}}'
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}Connection: close\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("answer", "failed", "total", "streak"),
    [
        (reply(402), 0, 1, 0),  # a decline is a success
        (reply(400), 0, 1, 0),
        (reply(401), 0, 1, 0),
        (reply(429, "Retry-After: 9\r\n"), 0, 0, 0),
        (reply(500), 1, 1, 1),
        (reply(500, "Idempotent-Replayed: true\r\n"), 0, 1, 0),
        (reply(503), 1, 1, 1),
        (None, 1, 1, 1),
    ],
)
def test_only_what_the_gateway_did_wrong_speaks_against_it(answer, failed, total, streak) -> None:
    with answering(answer) as url:
        StripeGateway(name="judged", secret_key="sk_test_x", url=url).observe("pi_1")

    figures = breaker("gateway:judged").tally.figures(time.monotonic())
    assert (figures.failed, figures.total, figures.streak) == (failed, total, streak)


def test_a_refused_connection_counts_twice_and_opens_after_five() -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        gateway = StripeGateway(
            name="judged", secret_key="sk_test_x", url=f"http://127.0.0.1:{dead.getsockname()[1]}"
        )
        answers = [gateway.observe("pi_1") for _ in range(6)]

    assert all(isinstance(answer, NotSent) for answer in answers)
    assert [answer.retry_after_s is None for answer in answers] == [True] * 5 + [False]
    assert breaker("gateway:judged").rejected == 1


def test_a_silent_gateway_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        answer = StripeGateway(name="judged", secret_key="sk_test_x", url=url, read_timeout_s=0.1).observe(
            "pi_1"
        )

    assert isinstance(answer, InDoubt)
    assert breaker("gateway:judged").tally.figures(time.monotonic()).failed == 1
    assert breaker("gateway:judged").in_flight == 0


def test_a_caller_whose_own_time_is_over_says_nothing_of_the_gateway() -> None:
    """Or a full thread pool, or another account that hangs, would open the breaker of a sound one."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        gateway = StripeGateway(
            name="judged", secret_key="sk_test_x", url=f"http://127.0.0.1:{mute.getsockname()[1]}"
        )
        answers = []
        for left_s in [0.01] * 12 + [0.15] * 12:
            with within(left_s):
                answers.append(gateway.observe("pi_1"))

    figures = breaker("gateway:judged").tally.figures(time.monotonic())
    assert [type(answer) for answer in answers] == [NotSent] * 12 + [InDoubt] * 12
    assert (figures.failed, figures.total, figures.streak) == (0, 0, 0)
    assert breaker("gateway:judged").footing.own.state is BreakerState.CLOSED
    assert breaker("gateway:judged").in_flight == 0


def test_retry_after_of_the_gateway_is_the_least_that_its_breaker_waits() -> None:
    with answering(reply(503, "Retry-After: 60\r\n")) as url:
        gateway = StripeGateway(name="judged", secret_key="sk_test_x", url=url)
        for _ in range(10):
            gateway.observe("pi_1")
        held_back = gateway.observe("pi_1")

    assert isinstance(held_back, NotSent)
    assert held_back.retry_after_s is not None
    assert POLICY.open_max_s < 55 < held_back.retry_after_s <= 60


def test_a_throttled_call_is_the_limiters_matter() -> None:
    with answering(reply(429, "Retry-After: 3\r\n")) as url:
        gateway = StripeGateway(name="judged", secret_key="sk_test_x", url=url)
        answers = [gateway.observe("pi_1") for _ in range(30)]

    assert {type(answer) for answer in answers} == {Throttled}
    assert breaker("gateway:judged").footing.own.state is BreakerState.CLOSED


def test_a_bug_of_ours_leaves_no_call_out() -> None:
    gateway = StripeGateway(name="judged", secret_key="sk_test_x\r\nX: y", url="http://127.0.0.1:1")

    with pytest.raises(ValueError, match="line break"):
        gateway.observe("pi_1")

    assert breaker("gateway:judged").in_flight == 0
    assert breaker("gateway:judged").tally.figures(time.monotonic()).failed == 0
