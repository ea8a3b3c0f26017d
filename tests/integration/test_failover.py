"""Two accounts: a payment goes to the second only on proof that the first did nothing.

The danger: a second charge, by an account that is asked while the first one's answer is on its way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from orders.models import Order
from payments.gateways import registry
from payments.gateways.base import Authorize, Declined
from payments.models import Operation
from payments.testing import METHOD_DECLINED, ChargeStatus, Trouble
from resilience.budgets.registry import forget
from resilience.clock import now
from resilience.saga.models import Saga
from tests.fragile_gateway import Fragile
from tests.orders_kit import carry_once, have_ended, payments, place, stock, stock_left

pytestmark = pytest.mark.django_db(transaction=True)

SOFT = Declined("processing_error", "Try again in a little bit.")
ATTEMPTS_MAX = 50


@dataclass(frozen=True)
class Accounts:
    """`a` is asked first, always."""

    a: Fragile
    b: Fragile

    @property
    def charges(self) -> tuple[list[ChargeStatus], list[ChargeStatus]]:
        return self.a.charges, self.b.charges


@pytest.fixture
def accounts(settings: Any) -> Iterator[Accounts]:
    settings.GATEWAYS = [
        {"name": "a", "secret_key": "", "weight": 1, "fails_over_on": [SOFT.code]},
        {"name": "b", "secret_key": "", "weight": 0, "fails_over_on": [SOFT.code]},
    ]
    registry.reset()
    both = Accounts(Fragile(name="a"), Fragile(name="b"))
    registry.install(both.a)
    registry.install(both.b)
    yield both
    registry.reset()


@pytest.fixture
def order_id(accounts: Accounts) -> UUID:
    stock(1)
    return place()


def carry_to_the_end(order_id: UUID) -> None:
    """Carry an order without the pauses that its saga chooses."""
    for _attempt in range(ATTEMPTS_MAX):
        if have_ended([order_id]):
            return
        carry_once([order_id])
    raise AssertionError(list(map(str, Saga.objects.get(business_key=order_id).log.all())))


def asked(order_id: UUID) -> list[tuple[str, str, str]]:
    """Return account, phase and outcome of each authorization of an order, in order."""
    operations = Operation.objects.filter(payment__order_id=order_id, kind="authorize")
    return list(operations.order_by("created_at").values_list("gateway", "phase", "outcome"))


def status_of(order_id: UUID) -> str:
    return Order.objects.get(pk=order_id).status


PAID = [ChargeStatus.CAPTURED]


def test_an_account_that_is_not_reached_is_left_for_the_next(accounts: Accounts, order_id: UUID) -> None:
    accounts.a.is_away = True

    carry_to_the_end(order_id)

    assert status_of(order_id) == "confirmed"
    assert accounts.charges == ([], PAID)
    assert asked(order_id) == [("a", "settled", "abandoned"), ("b", "settled", "succeeded")]
    assert len({*accounts.a.authorizations, *accounts.b.authorizations}) == 2
    (payment,) = payments(order_id)
    assert (payment.gateway, payment.status, payment.captured_minor) == ("b", "captured", 1000)
    assert payment.reference == next(iter(accounts.b.book))


def test_whoever_is_in_doubt_is_asked_for_hours_and_nobody_else(accounts: Accounts, order_id: UUID) -> None:
    accounts.a.is_silent = True

    # Past the deadline of the order, and past the questions after which an operator is told.
    for attempt in range(100):
        forget()  # twenty minutes later, the retry budget lets one pass again
        carry_once([order_id], clock=lambda attempt=attempt: now() + timedelta(minutes=20 * attempt))

    assert status_of(order_id) == "pending"
    assert (accounts.b.requests, accounts.b.lookups) == ([], [])
    assert asked(order_id) == [("a", "in_doubt", "")]
    assert len(accounts.a.lookups) == 99
    assert len(set(accounts.a.authorizations)) == 1
    assert payments(order_id)[0].in_doubt_since is not None

    accounts.a.is_silent = False
    carry_to_the_end(order_id)

    assert status_of(order_id) == "confirmed"
    assert accounts.charges == (PAID, [])
    assert (accounts.b.requests, accounts.b.lookups) == ([], [])
    assert payments(order_id)[0].in_doubt_since is None


@pytest.mark.parametrize("trouble", [Trouble.REQUEST_LOST, Trouble.ANSWER_LOST])
def test_an_account_that_goes_away_while_in_doubt_is_waited_for(
    accounts: Accounts, order_id: UUID, trouble: Trouble
) -> None:
    accounts.a.plan(Authorize, trouble)
    carry_once([order_id])
    accounts.a.is_away = True

    for _attempt in range(10):
        carry_once([order_id])

    assert (accounts.b.requests, accounts.b.lookups) == ([], [])
    accounts.a.is_away = False
    carry_to_the_end(order_id)
    assert accounts.charges == (PAID, [])
    assert len(set(accounts.a.authorizations)) == 1


def test_an_account_that_turns_us_away_unread_is_asked_again(accounts: Accounts, order_id: UUID) -> None:
    accounts.a.plan(Authorize, Trouble.THROTTLED, Trouble.THROTTLED)

    carry_to_the_end(order_id)

    assert accounts.charges == (PAID, [])
    assert accounts.b.requests == []
    assert len(set(accounts.a.authorizations)) == 1


def test_a_soft_decline_goes_to_the_next_account(accounts: Accounts, order_id: UUID) -> None:
    accounts.a.plan(Authorize, SOFT)

    carry_to_the_end(order_id)

    assert status_of(order_id) == "confirmed"
    assert accounts.charges == ([], PAID)
    assert asked(order_id) == [("a", "settled", "declined"), ("b", "settled", "succeeded")]
    assert payments(order_id)[0].decline_code == ""


def test_a_hard_decline_ends_the_order_where_it_is(accounts: Accounts) -> None:
    stock(1)
    order_id = place(METHOD_DECLINED)

    carry_to_the_end(order_id)

    order = Order.objects.get(pk=order_id)
    assert (order.status, order.cancel_reason) == ("cancelled", "generic_decline")
    assert (accounts.b.requests, accounts.b.lookups) == ([], [])
    assert asked(order_id) == [("a", "settled", "declined")]
    assert stock_left() == (1, 0)


def test_the_last_soft_decline_ends_the_order(accounts: Accounts, order_id: UUID) -> None:
    accounts.a.plan(Authorize, SOFT)
    accounts.b.plan(Authorize, SOFT)

    carry_to_the_end(order_id)

    order = Order.objects.get(pk=order_id)
    assert (order.status, order.cancel_reason) == ("cancelled", SOFT.code)
    assert asked(order_id) == [("a", "settled", "declined"), ("b", "settled", "declined")]
    assert stock_left() == (1, 0)


@pytest.mark.parametrize("back", ["a", "b"])
def test_while_no_account_is_reached_they_are_asked_in_turn(
    accounts: Accounts, order_id: UUID, back: str
) -> None:
    accounts.a.is_away = accounts.b.is_away = True

    for _attempt in range(10):
        carry_once([order_id])

    assert status_of(order_id) == "pending"
    assert [gateway for gateway, _phase, _outcome in asked(order_id)] == ["a", "b"] * 5
    assert {*asked(order_id)} == {("a", "settled", "abandoned"), ("b", "settled", "abandoned")}
    assert len({*accounts.a.authorizations, *accounts.b.authorizations}) == 10

    one = accounts.a if back == "a" else accounts.b
    one.is_away = False
    carry_to_the_end(order_id)

    assert status_of(order_id) == "confirmed"
    assert one.charges == PAID
    assert accounts.charges in ((PAID, []), ([], PAID))


def test_an_account_that_has_refused_is_not_asked_again(accounts: Accounts, order_id: UUID) -> None:
    accounts.a.plan(Authorize, SOFT)
    accounts.b.is_away = True

    for _attempt in range(10):
        carry_once([order_id])

    assert len(accounts.a.authorizations) == 1
    # Nobody else is left to go to, so that it keeps its one key.
    assert asked(order_id) == [("a", "settled", "declined"), ("b", "prepared", "")]
    assert len(set(accounts.b.authorizations)) == 1

    accounts.b.is_away = False
    carry_to_the_end(order_id)

    assert status_of(order_id) == "confirmed"
    assert len(accounts.a.authorizations) == 1
    assert accounts.charges == ([], PAID)


def test_a_tender_that_no_account_takes_ends_the_order(accounts: Accounts, settings: Any) -> None:
    settings.GATEWAYS = [{**account, "currencies": ["USD"]} for account in settings.GATEWAYS]
    registry.accounts.cache_clear()
    stock(1)
    order_id = place()

    carry_to_the_end(order_id)

    order = Order.objects.get(pk=order_id)
    assert (order.status, order.cancel_reason) == ("cancelled", "payment_method_not_supported")
    assert accounts.a.requests == accounts.b.requests == []
    assert [payment.status for payment in payments(order_id)] == ["voided"]
    assert stock_left() == (1, 0)
