"""`X-Request-Deadline-Ms`: nothing half done, and what is done is said."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from orders.models import Order
from resilience.apikeys.cache import known_keys
from tests.api.foundation import assert_problem
from tests.api.shop import Shop, answers_stored, rows_written
from tests.orders_kit import stock

pytestmark = pytest.mark.django_db(transaction=True)
HEADER = "X-Request-Deadline-Ms"


@pytest.fixture
def shop() -> Shop:
    known_keys.forget_all()
    stock(10)
    return Shop()


@contextmanager
def orders_locked() -> Iterator[None]:
    """Keep everybody else from writing an order."""
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("LOCK TABLE orders_order IN EXCLUSIVE MODE")
        yield
    finally:
        other.rollback()
        other.close()


def test_an_order_within_its_deadline_is_taken(shop: Shop) -> None:
    answer = shop.order(x_request_deadline_ms="20000")

    assert answer.status_code == 201
    assert Order.objects.count() == 1


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", ""])
def test_a_deadline_that_is_no_number_is_refused(shop: Shop, value: str) -> None:
    answer = shop.order(x_request_deadline_ms=value)

    problem = assert_problem(answer, 400, "validation_failed")
    assert [error["field"] for error in problem["errors"]] == [HEADER]
    assert Order.objects.count() == 0


def test_a_deadline_that_is_over_does_nothing(shop: Shop) -> None:
    answer = shop.order(x_request_deadline_ms="0")

    assert_problem(answer, 504, "deadline_exceeded")
    assert answer.headers["Retry-After"] == "1"
    assert Order.objects.count() == 0


def test_an_order_that_is_held_up_past_its_deadline_is_not_taken(shop: Shop) -> None:
    before = rows_written()
    with orders_locked():
        answer = shop.order(key="held up", x_request_deadline_ms="500")

    assert_problem(answer, 504, "deadline_exceeded")
    assert (rows_written(), answers_stored()) == (before, 0)
    assert shop.order(key="held up").status_code == 201


def test_the_same_key_works_after_a_deadline(shop: Shop) -> None:
    late = shop.order(key="again", x_request_deadline_ms="0")
    in_time = shop.order(key="again")

    assert (late.status_code, in_time.status_code) == (504, 201)
    assert Order.objects.count() == 1


def test_a_preference_to_wait_ends_with_the_deadline_and_the_order_stands(shop: Shop) -> None:
    began = time.monotonic()
    answer = shop.order(prefer="wait=30", x_request_deadline_ms="1500")

    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    assert time.monotonic() - began < 10
    assert Order.objects.count() == 1
