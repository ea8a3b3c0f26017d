"""`Prefer: wait=N` holds the answer until the order is decided, and never longer than told."""

import time
from typing import Any

import pytest
from django.test import RequestFactory

from orders.models import Order
from resilience.apikeys.cache import known_keys
from resilience.limits import Bulkhead
from resilience.rest import waiting
from tests.api.foundation import assert_problem
from tests.api.shop import ORDERS, Shop, order_body
from tests.carriage import orders_are_carried
from tests.conftest import SandboxClient
from tests.orders_kit import SKU, stock

pytestmark = pytest.mark.django_db
# Sagas are carried by others than this test, who must see what it has written.
CARRIED = pytest.mark.django_db(transaction=True, databases=["default", "replica"])


@pytest.fixture
def shop(sandbox: SandboxClient) -> Shop:
    known_keys.forget_all()
    stock(10)
    return Shop()


def timed_order(shop: Shop, *, prefer: str, body: object = None) -> tuple[Any, float]:
    began = time.monotonic()
    answer = shop.order(body, prefer=prefer)
    return answer, time.monotonic() - began


@CARRIED
def test_an_order_that_settles_in_time_is_answered_settled(shop: Shop) -> None:
    with orders_are_carried():
        answer, took_s = timed_order(shop, prefer="wait=30")

    body = answer.json()
    assert (answer.status_code, body["status"]) == (201, "confirmed")
    assert [payment["status"] for payment in body["payments"]] == ["captured"]
    assert body["settled_at"] >= body["placed_at"]
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert answer.headers["Location"] == f"{ORDERS}/{body['id']}"
    assert answer.headers["Consistency-Token"]
    assert took_s < 30
    assert shop.get(answer.headers["Location"], consistency_token="primary, please").json() == body


@CARRIED
def test_a_declined_order_is_answered_cancelled(shop: Shop) -> None:
    body = order_body(payments=[{"method": "pm_card_visa_chargeDeclinedInsufficientFunds"}])

    with orders_are_carried():
        answer, _took_s = timed_order(shop, prefer="wait=30", body=body)

    assert (answer.status_code, answer.json()["status"]) == (201, "cancelled")
    assert answer.json()["cancel_reason"] == "insufficient_funds"
    assert [payment["status"] for payment in answer.json()["payments"]] == ["declined"]


@CARRIED
def test_an_order_without_stock_is_answered_cancelled(shop: Shop) -> None:
    with orders_are_carried():
        answer, _took_s = timed_order(
            shop, prefer="wait=30", body=order_body(lines=[{"sku": SKU, "quantity": 11}])
        )

    assert (answer.json()["status"], answer.json()["cancel_reason"]) == ("cancelled", "insufficient_stock")
    assert [payment["status"] for payment in answer.json()["payments"]] == ["voided"]


@CARRIED
def test_a_payer_who_has_to_act_is_told_where_without_waiting_on(shop: Shop) -> None:
    body = order_body(payments=[{"method": "pm_card_authenticationRequired"}])

    with orders_are_carried():
        answer, took_s = timed_order(shop, prefer="wait=30", body=body)

    assert answer.json()["status"] == "requires_action"
    [payment] = answer.json()["payments"]
    assert payment["status"] == "requires_action"
    assert payment["action_url"].startswith("http")
    assert took_s < 30


def test_an_order_that_does_not_settle_is_answered_when_the_time_is_over(shop: Shop) -> None:
    answer, took_s = timed_order(shop, prefer="wait=1")

    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert 1 <= took_s < 5


@pytest.mark.parametrize("prefer", ["wait=0", "respond-async", "handling=lenient", "wait", "await=9", "x"])
def test_nobody_waits_who_did_not_ask_to(shop: Shop, prefer: str) -> None:
    answer, took_s = timed_order(shop, prefer=prefer)

    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    assert "Preference-Applied" not in answer.headers
    assert took_s < 5


@pytest.mark.parametrize("prefer", ["respond-async, wait=7", "WAIT = 7", 'wait="7"', "wait=7; strict"])
def test_the_preference_may_stand_beside_others(prefer: str) -> None:
    assert waiting.preferred_wait_s(RequestFactory().post(ORDERS, headers={"Prefer": prefer})) == 7


@pytest.mark.parametrize(
    "prefer", ["wait=31", "wait=-1", "wait=1.5", "wait=", "wait=x", "wait=1e1", "wait=١"]
)
def test_a_wait_that_is_none_is_a_400_and_places_nothing(shop: Shop, prefer: str) -> None:
    answer = shop.order(prefer=prefer.encode().decode("latin-1"))

    [error] = assert_problem(answer, 400, "validation_failed")["errors"]
    assert error["field"] == "Prefer"
    assert Order.objects.count() == 0


def test_when_too_many_wait_the_answer_comes_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    one_seat = Bulkhead("one seat", 1)
    monkeypatch.setattr(waiting, "_waiters", one_seat)

    with one_seat.permit():
        answer, took_s = timed_order(shop, prefer="wait=30")

    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    assert "Preference-Applied" not in answer.headers
    assert took_s < 5


@CARRIED
def test_a_seat_is_given_back_after_each_wait(shop: Shop) -> None:
    for _round in range(waiting.WAITERS_MAX + 1):
        Order.objects.all().delete()
        with orders_are_carried():
            answer, _took_s = timed_order(shop, prefer="wait=30")
        assert answer.headers["Preference-Applied"] == "wait=30"
