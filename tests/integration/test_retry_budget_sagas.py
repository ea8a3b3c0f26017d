"""An outage under real sagas: the gateway is asked a bounded number of times, and every order ends well."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from orders.models import Order
from payments.gateways import registry
from payments.models import Operation
from payments.testing import ChargeStatus
from resilience import pulse
from resilience.budgets import budget_of
from resilience.budgets.fleet import SPENDING
from resilience.budgets.registry import _budgets
from resilience.retry import Budget
from resilience.saga.models import Saga, SagaStep
from tests.fragile_gateway import Fragile
from tests.orders_kit import carry_once, have_ended, place, stock
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = 12
# Tries of each saga in the outage; without a budget each of them is a call.
ROUNDS = 22


class Frozen:
    """A clock on which the floor lets pass what the test says."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Frozen:
    return Frozen()


@pytest.fixture
def gateway(settings: Any, clock: Frozen) -> Iterator[Fragile]:
    settings.GATEWAYS = [{"name": "only", "secret_key": ""}]
    registry.reset()
    fragile = Fragile(name="only")
    registry.install(fragile)
    _budgets["only"] = Budget(monotonic=clock)
    yield fragile
    registry.reset()


@pytest.fixture
def order_ids(gateway: Fragile) -> list[UUID]:
    stock(ORDERS)
    return [place() for _order in range(ORDERS)]


def calls(gateway: Fragile) -> int:
    return len(gateway.requests) + len(gateway.lookups)


def end_all(order_ids: list[UUID], clock: Frozen) -> None:
    for _round in range(200):
        if have_ended(order_ids):
            break
        clock.now_s += 1.0
        carry_once(order_ids)
    assert have_ended(order_ids)
    assert set(Order.objects.values_list("status", flat=True)) == {"confirmed"}


def test_an_account_that_is_away_is_asked_as_often_as_the_budget_bears(
    gateway: Fragile, clock: Frozen, order_ids: list[UUID]
) -> None:
    gateway.is_away = True

    for _round in range(ROUNDS):
        carry_once(order_ids)

    # Each once, 35 retries and one at the floor, and each saga's tenth and twentieth try.
    spent = 35 + 1
    assert ORDERS + spent <= calls(gateway) <= ORDERS + spent + 2 * ORDERS
    # Nobody was asked, so that no attempt is spent and no money is in doubt.
    assert set(Saga.objects.values_list("attempt", "status")) == {(0, "running")}
    assert set(Operation.objects.values_list("phase", flat=True)) == {"prepared"}
    assert SagaStep.objects.filter(error__contains="retry budget is spent").exists()

    gateway.is_away = False
    end_all(order_ids, clock)

    assert gateway.charges == [ChargeStatus.CAPTURED] * ORDERS
    assert len({request.key for request in gateway.requests}) == 2 * ORDERS


def test_a_doubt_that_may_not_be_asked_about_stays_a_doubt(
    gateway: Fragile, clock: Frozen, order_ids: list[UUID]
) -> None:
    gateway.is_silent = True

    for _round in range(ROUNDS):
        carry_once(order_ids)

    spent = 100 + 1
    assert ORDERS + spent <= calls(gateway) <= ORDERS + spent + 2 * ORDERS
    assert set(Operation.objects.values_list("phase", "outcome")) == {("in_doubt", "")}
    assert set(Saga.objects.values_list("attempt", "status")) == {(0, "running")}

    gateway.is_silent = False
    end_all(order_ids, clock)

    assert gateway.charges == [ChargeStatus.CAPTURED] * ORDERS


def test_each_saga_is_heard_however_long_the_budget_is_spent(
    gateway: Fragile, clock: Frozen, order_ids: list[UUID]
) -> None:
    gateway.is_silent = True
    carry_once(order_ids)
    budget_of("only").is_fleet_overspent = True
    before = [request.key for request in gateway.lookups]

    for _round in range(ROUNDS):
        carry_once(order_ids)

    asked = [request.key for request in gateway.lookups][len(before) :]
    assert min(asked.count(key) for key in {request.key for request in gateway.requests}) == 2
    assert len(asked) <= 2 * ORDERS + 1


@pytest.fixture
def fleet() -> Iterator[None]:
    pulse.join(SPENDING)
    pulse.ensure_running()
    yield
    pulse.leave(SPENDING)


def test_what_another_process_spends_in_vain_is_heard_within_a_beat_or_two(fleet: None) -> None:
    account = f"away-{uuid4().hex}"
    another = """
import django; django.setup()
from resilience import pulse
from resilience.budgets import budget_of
from resilience.retry import Trouble
import sys, time
for _call in range(30):
    budget_of(sys.argv[1]).note(Trouble.TRANSPORT, succeeded=False)
assert pulse.wait_for_turn("redis", after=time.monotonic(), limit_s=20)
"""
    budget = budget_of(account)
    assert not budget.is_fleet_overspent

    subprocess.run([sys.executable, "-c", another, account], check=True, timeout=60)

    wait_until(lambda: budget.is_fleet_overspent)
    # And it is forgotten, so that what waits is tried again.
    wait_until(lambda: not budget.is_fleet_overspent, limit_s=40)


def test_first_calls_go_out_whatever_the_budget_says(
    gateway: Fragile, clock: Frozen, order_ids: list[UUID]
) -> None:
    budget_of("only").is_fleet_overspent = True

    carry_once(order_ids)

    assert set(Order.objects.values_list("status", flat=True)) == {"confirmed"}
