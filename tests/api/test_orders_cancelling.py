"""Cancelling: at any time, any number of times, and the money and the stock come back."""

from typing import Any
from uuid import UUID

import pytest

from orders.models import Order
from payments.models import Payment
from resilience.apikeys.cache import known_keys
from resilience.saga.models import Saga
from tests.api.foundation import assert_problem
from tests.api.shop import ORDERS, Shop, order_body
from tests.conftest import SandboxClient
from tests.orders_kit import books, carry_to_the_end, runner, saga_ids, stock, stock_left
from tests.processes import wait_until

pytestmark = pytest.mark.django_db
# Sagas are carried by others than this test, who must see what it has written.
CARRIED = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
WITHIN_S = 30.0


@pytest.fixture
def shop(sandbox: SandboxClient) -> Shop:
    known_keys.forget_all()
    stock(10)
    return Shop()


def placed(shop: Shop, *methods: str) -> UUID:
    payments = [{"method": method, "amount": 1000 // len(methods)} for method in methods]
    answer = shop.order(order_body(payments=payments) if methods else None)
    return UUID(answer.json()["id"])


def cancelled(shop: Shop, order_id: UUID) -> Any:
    return shop.post(f"{ORDERS}/{order_id}/cancel", b"")


def read(shop: Shop, order_id: UUID) -> Any:
    return shop.get(f"{ORDERS}/{order_id}", consistency_token="primary, please").json()


@CARRIED
def test_before_anything_was_done_nothing_is_ever_asked_of_the_gateway(
    shop: Shop, sandbox: SandboxClient
) -> None:
    order_id = placed(shop)

    answer = cancelled(shop, order_id)
    carry_to_the_end([order_id], within_s=WITHIN_S)

    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert answer.json()["id"] == str(order_id)
    assert answer.headers["Consistency-Token"]
    after = read(shop, order_id)
    assert (after["status"], after["cancel_reason"]) == ("cancelled", "cancel_requested")
    assert [payment["status"] for payment in after["payments"]] == ["voided"]
    assert str(order_id) not in sandbox.orders()
    assert stock_left() == (10, 0)


@CARRIED
def test_after_it_was_paid_the_money_goes_back(shop: Shop, sandbox: SandboxClient) -> None:
    order_id = placed(shop, "pm_card_visa", "pm_card_mastercard")
    carry_to_the_end([order_id], within_s=WITHIN_S)

    answer = cancelled(shop, order_id)
    assert (answer.status_code, answer.json()["status"]) == (202, "confirmed")
    carry_to_the_end([order_id], within_s=WITHIN_S)

    after = read(shop, order_id)
    assert (after["status"], after["cancel_reason"]) == ("cancelled", "cancel_requested")
    assert [payment["status"] for payment in after["payments"]] == ["refunded", "refunded"]
    seen = books(order_id, sandbox.orders())
    assert (seen.captures, seen.captured_minor, seen.refunded_minor) == (2, 1000, 1000)
    assert seen.events == ("order.placed", "order.confirmed", "order.cancelled")
    assert stock_left() == (10, 0)


@CARRIED
def test_while_the_payer_has_to_act_the_attempt_is_let_go(shop: Shop, sandbox: SandboxClient) -> None:
    order_id = placed(shop, "pm_card_authenticationRequired")
    _carry_until_waiting(order_id)

    answer = cancelled(shop, order_id)
    carry_to_the_end([order_id], within_s=WITHIN_S)

    assert (answer.status_code, answer.json()["status"]) == (202, "requires_action")
    assert read(shop, order_id)["status"] == "cancelled"
    assert Payment.objects.values_list("status", "captured_minor").get() == ("voided", 0)
    assert sandbox.rows("SELECT status FROM intents WHERE order_id = ?", str(order_id))[0]["status"] == (
        "canceled"
    )
    assert stock_left() == (10, 0)


@CARRIED
def test_asked_again_it_is_under_way_and_then_done(shop: Shop) -> None:
    order_id = placed(shop)

    before = [cancelled(shop, order_id).status_code for _time in range(3)]
    sagas = Saga.objects.count()
    carry_to_the_end([order_id], within_s=WITHIN_S)
    afterwards = [cancelled(shop, order_id) for _time in range(2)]

    assert (before, sagas) == ([202, 202, 202], 2)
    assert [(answer.status_code, answer.json()["status"]) for answer in afterwards] == [
        (200, "cancelled")
    ] * 2
    assert Saga.objects.count() == 2
    assert books(order_id, {}).events == ("order.placed", "order.cancelled")


@CARRIED
def test_an_order_that_was_declined_is_cancelled_already(shop: Shop) -> None:
    order_id = placed(shop, "pm_card_visa_chargeDeclined")
    carry_to_the_end([order_id], within_s=WITHIN_S)

    answer = cancelled(shop, order_id)

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["cancel_reason"] == "generic_decline"
    assert Saga.objects.filter(definition="cancel_order").count() == 0


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_it_takes_no_body(shop: Shop, body: bytes) -> None:
    assert shop.post(f"{ORDERS}/{placed(shop)}/cancel", body).status_code == 202


@pytest.mark.parametrize(
    ("body", "code"),
    [(b'{"reason": "x"}', "validation_failed"), (b"[]", "invalid_json"), (b"{", "invalid_json")],
)
def test_a_body_that_says_something_is_refused_and_cancels_nothing(
    shop: Shop, body: bytes, code: str
) -> None:
    order_id = placed(shop)

    assert_problem(shop.post(f"{ORDERS}/{order_id}/cancel", body), 400, code)

    assert Saga.objects.values_list("definition", "abort_requested").get() == ("place_order", False)


def test_another_clients_order_stays_as_it_is(shop: Shop) -> None:
    order_id = placed(shop)

    assert_problem(cancelled(Shop(client="other"), order_id), 404, "order_not_found")

    assert Saga.objects.values_list("definition", "abort_requested").get() == ("place_order", False)
    assert Order.objects.get().status == "pending"


def _carry_until_waiting(order_id: UUID) -> None:
    worker = runner(lease_s=5.0)
    wait_until(
        lambda: Order.objects.get(pk=order_id).status == "requires_action",
        meanwhile=lambda: worker.run(saga_ids([order_id])),
    )
