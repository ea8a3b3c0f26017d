"""A doubt about an authorization: a gateway's silence is no proof while its reads may lag."""

import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest

from orders.models import Order
from payments.gateways import registry
from payments.gateways.base import Absent, Answer, Authorize, InDoubt, LookupAnswer, Request
from payments.steps import exchange
from payments.testing import ChargeStatus, FakeGateway
from resilience.clock import now
from resilience.saga.models import Saga
from tests.conftest import SandboxClient
from tests.orders_kit import place, runner, saga_ids, stock

pytestmark = pytest.mark.django_db(transaction=True)

LAG_S = 1.5


class Recovering(FakeGateway):
    """Loses requests for `LAG_S * 1.5`; then carries one out, answers 500, and keeps that answer.

    Its search shows nothing before `LAG_S` have passed.
    """

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self._ready_at = time.monotonic() + 1.5 * LAG_S
        self._carried_out_at: dict[str, float] = {}

    def send(self, request: Request) -> Answer:
        if not isinstance(request, Authorize):
            return super().send(request)
        if time.monotonic() < self._ready_at:
            return InDoubt("the request was lost")
        is_replay = request.key in self._carried_out_at
        self._carried_out_at.setdefault(request.key, time.monotonic())
        super().send(request)
        return InDoubt("HTTP 500", is_stored=is_replay)

    def look_up(self, request: Request, *, thoroughly: bool = False) -> LookupAnswer:
        carried_out_at = self._carried_out_at.get(request.key, 0.0)
        if isinstance(request, Authorize) and time.monotonic() < carried_out_at + LAG_S:
            return Absent()
        return super().look_up(request, thoroughly=thoroughly)


def _ask_without_pause(order_id: UUID, *, within_s: float) -> None:
    """Carry an order's saga to its end without the waits that it chooses, which might outlast the lag."""
    worker = runner(lease_s=5.0)
    deadline = time.monotonic() + within_s
    active = Saga.objects.filter(business_key=order_id, ended_at=None)
    while active.update(due_at=now()) and time.monotonic() < deadline:
        worker.run(saga_ids([order_id]))
        time.sleep(0.05)
    assert not active.exists()


@pytest.fixture
def gateway(sandbox: SandboxClient) -> Iterator[Recovering]:
    adapter = Recovering(name=sandbox.name)
    registry.install(adapter)
    yield adapter
    registry.reset()


def test_an_answer_lost_after_an_outage_authorizes_once(
    gateway: Recovering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "READS_LAG_MAX", timedelta(seconds=LAG_S + 0.2))
    stock(1)
    order_id = place()

    _ask_without_pause(order_id, within_s=30)

    assert Order.objects.get(pk=order_id).status == "confirmed"
    assert [charge.status for charge in gateway.book.values()] == [ChargeStatus.CAPTURED]
