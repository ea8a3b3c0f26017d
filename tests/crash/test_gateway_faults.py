"""What a gateway can do to a request x every operation x a worker that dies around the call (F1 to F15).

Each case is one order for each way to die: nowhere, before the call, after it. All end as they would have
without any fault, in our books and in the gateway's. F1 is a port where nobody listens, F9 a slip,
F13 is in tests/integration/test_failover.py, F15 in tests/unit/test_signatures.py.
"""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from orders.sagas import CANCEL_ORDER, PLACE_ORDER
from payments.gateways import registry
from payments.gateways.base import Answer, Authorize, Capture, Refund, Request, Void
from payments.gateways.stripe import StripeGateway
from payments.steps import exchange
from resilience.crashpoints import Fault
from tests.conftest import SandboxClient
from tests.crash.test_crash_sweep import (
    END_WITHIN_S,
    PIECES,
    SCENARIOS,
    Armed,
    _confirmed_then_cancelled,
)
from tests.orders_kit import Books, books, carry_to_the_end, place, stock

PAID, VOIDED, REFUNDED = (SCENARIOS[number].ends for number in (0, 1, 2))


@dataclass(frozen=True)
class Operation:
    """What is asked of the gateway, on an order that comes to it, and how both books must end."""

    name: str
    request: type[Request]
    begin: Callable[[], UUID]
    place: str
    ends: Books


OPERATIONS = {
    "authorize": Operation("create", Authorize, place, f"{PLACE_ORDER.name}.authorize_payment.do", PAID),
    "capture": Operation("capture", Capture, place, f"{PLACE_ORDER.name}.capture_payment.do", PAID),
    "void": Operation(
        "cancel",
        Void,
        lambda: place("pm_card_visa", "pm_card_visa_chargeDeclined"),
        f"{PLACE_ORDER.name}.authorize_payment.undo",
        VOIDED,
    ),
    "refund": Operation(
        "refund", Refund, _confirmed_then_cancelled, f"{CANCEL_ORDER.name}.return_payment.do", REFUNDED
    ),
}
# Fault of the research's table: what the sandbox is told. Three orders meet it, one for each way to die.
FAULTS: dict[str, list[dict[str, object]]] = {
    "F2 silence, nothing done": [{"fault": "lose_request", "delay_ms": 200}],
    "F3 reset before": [{"fault": "reset_before"}],
    "F4 reset after": [{"fault": "reset_after"}],
    "F4 answer lost": [{"fault": "lose_answer", "delay_ms": 200}],
    "F5 stored 500, done": [{"fault": "error_after"}],
    "F5 stored 500, not done": [{"fault": "error_before"}],
    "F5 proxy's 500, done": [{"fault": "error_after", "stored": False}],
    "F6 throttled": [{"fault": "throttle", "delay_ms": 1000}],
    "F7 garbage": [{"fault": "garbage"}],
    "F7 cut short": [{"fault": "truncate"}],
    "F8 another amount": [{"fault": "wrong_amount"}],
    "F12 half of all fail": [{"fault": "reset_after", "probability": 0.5}],
    "F14 slow": [{"fault": "slow", "delay_ms": 700}],
}


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    # Stripe's search may lag for a minute; the sandbox's never does.
    monkeypatch.setattr(exchange, "READS_LAG_MAX", timedelta(seconds=1))


@pytest.fixture
def _whole_again(sandbox: SandboxClient) -> Iterator[None]:
    yield
    sandbox.clear_faults()
    sandbox.configure(key_retention_s=86_400)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_whole_again")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_no_answer_and_no_death_changes_the_end(
    fault: str, operation: Operation, sandbox: SandboxClient
) -> None:
    stock(PIECES)
    orders = [operation.begin() for _way_to_die in range(3)]
    sandbox.faults(*({**one, "operation": operation.name, "times": 3} for one in FAULTS[fault]))

    die_around_the_call(operation, orders)
    carry_to_the_end(orders, within_s=END_WITHIN_S)

    book = sandbox.orders()
    assert [books(order_id, book) for order_id in orders] == [operation.ends] * 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_whole_again")
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_f10_a_read_that_lags_is_no_proof(operation: Operation, sandbox: SandboxClient) -> None:
    stock(PIECES)
    orders = [operation.begin() for _way_to_die in range(3)]
    sandbox.faults(
        {"fault": "reset_after", "operation": operation.name, "times": 3},
        {"fault": "stale_reads", "delay_ms": 800, "for_s": 4},
    )

    die_around_the_call(operation, orders)
    carry_to_the_end(orders, within_s=END_WITHIN_S)

    book = sandbox.orders()
    assert [books(order_id, book) for order_id in orders] == [operation.ends] * 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_whole_again")
@pytest.mark.parametrize("fault", ["reset_after", "reset_before"])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_f11_a_key_that_the_gateway_forgot_charges_nobody_again(
    operation: Operation, fault: str, sandbox: SandboxClient
) -> None:
    stock(PIECES)
    orders = [operation.begin() for _way_to_die in range(3)]
    sandbox.configure(key_retention_s=0)
    sandbox.faults({"fault": fault, "operation": operation.name, "times": 3})

    die_around_the_call(operation, orders)
    carry_to_the_end(orders, within_s=END_WITHIN_S)

    book = sandbox.orders()
    assert [books(order_id, book) for order_id in orders] == [operation.ends] * 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_f1_a_port_where_nobody_listens(operation: Operation, sandbox: SandboxClient) -> None:
    stock(PIECES)
    orders = [operation.begin() for _way_to_die in range(3)]
    registry.install(RefusedAtFirst(registry.gateway(sandbox.name), operation.request, times=3))
    try:
        die_around_the_call(operation, orders)
        carry_to_the_end(orders, within_s=END_WITHIN_S)
    finally:
        registry.reset()

    book = sandbox.orders()
    assert [books(order_id, book) for order_id in orders] == [operation.ends] * 3


def die_around_the_call(operation: Operation, orders: list[UUID]) -> None:
    """Let a worker be killed before the second order's call and after the third's."""
    children = [
        Armed.start(order_id, f"{operation.place}.{when}", Fault.KILL)
        for order_id, when in zip(orders[1:], ("before_call", "after_call"), strict=True)
    ]
    for child in children:
        child.wait_until_struck()
        child.process.join(END_WITHIN_S)


class RefusedAtFirst:
    """A gateway whose first requests of a kind find a closed port; all else is the real one's."""

    def __init__(self, real: object, kind: type[Request], *, times: int) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        self._closed = StripeGateway(name="closed", secret_key="sk_test_x", url=f"http://127.0.0.1:{port}")
        self._real = real
        self._kind = kind
        self._times = times
        self.name = real.name  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def send(self, request: Request) -> Answer:
        if isinstance(request, self._kind) and self._times:
            self._times -= 1
            return self._closed.send(request)
        return self._real.send(request)  # type: ignore[attr-defined]
