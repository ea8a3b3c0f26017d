"""Fifty requests at one moment: one order for one key, and never more orders than there is stock."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from orders.models import Order, Reservation
from payments.models import Payment
from resilience.apikeys.cache import known_keys
from resilience.events.models import LoggedEvent
from resilience.idempotency.models import IdempotencyRecord
from resilience.saga.models import Saga, SagaStep
from tests.api.foundation import assert_problem
from tests.api.shop import ORDERS, Shop
from tests.conftest import SandboxClient
from tests.orders_kit import books, carry_to_the_end, runner, saga_ids, stock, stock_left
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)
CALLERS = 50
RUNNERS = 5


@pytest.fixture
def shops() -> list[Shop]:
    """One storefront, fifty of its processes: an HTTP client each, and one key."""
    known_keys.forget_all()
    shops = [Shop() for _caller in range(CALLERS)]
    for shop in shops:
        shop.plaintext = shops[0].plaintext
    return shops


def in_the_end(ask: Callable[[], Any]) -> Any:
    """Ask; whoever is turned away, as a busy machine may, comes again."""
    deadline = time.monotonic() + 30
    while (answer := ask()).status_code == 503 and time.monotonic() < deadline:
        time.sleep(float(answer.headers["Retry-After"]))
    return answer


def order_in_the_end(shop: Shop) -> Any:
    """Order, each time with the same key."""
    key = uuid4().hex
    return in_the_end(lambda: shop.order(key=key))


def cancel_in_the_end(shop: Shop, order_id: UUID) -> Any:
    """Cancel an order."""
    return in_the_end(lambda: shop.post(f"{ORDERS}/{order_id}/cancel", b""))


def test_fifty_equal_posts_with_one_key_place_one_order(shops: list[Shop]) -> None:
    stock(CALLERS)

    answers = at_once([lambda shop=shop: shop.order(key="k") for shop in shops])  # type: ignore[misc]

    accepted = [answer for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer not in accepted:
            assert_problem(answer, 409, "request_in_progress")
            assert answer.headers["Retry-After"] == "1"
    assert sum("Idempotency-Replayed" not in answer.headers for answer in accepted) == 1
    assert len({answer.content for answer in accepted}) == 1
    for model in (Order, Payment, Saga, IdempotencyRecord):
        assert model.objects.count() == 1, model
    assert LoggedEvent.objects.filter(type="order.placed").count() == 1
    # Whoever was told to come back gets the answer now.
    assert shops[0].order(key="k").headers["Idempotency-Replayed"] == "true"


def test_fifty_orders_for_the_last_piece_confirm_one(shops: list[Shop], sandbox: SandboxClient) -> None:
    stock(1)
    answers = at_once([lambda shop=shop: order_in_the_end(shop) for shop in shops])  # type: ignore[misc]
    assert Counter(answer.status_code for answer in answers) == {201: CALLERS}
    order_ids = [UUID(answer.json()["id"]) for answer in answers]
    ids = saga_ids(order_ids)

    # Each runner has a share of the messages, and all of them once more: hints may be doubled.
    runners = [runner(lease_s=10, name=f"runner-{number}") for number in range(RUNNERS)]
    at_once(
        [
            lambda number=number, one=one: one.run(ids[number::RUNNERS] + ids)  # type: ignore[misc]
            for number, one in enumerate(runners)
        ]
    )
    carry_to_the_end(order_ids, within_s=30)

    gateway_book = sandbox.orders()
    ends = Counter(Order.objects.values_list("status", "cancel_reason"))
    assert ends == {("confirmed", ""): 1, ("cancelled", "insufficient_stock"): CALLERS - 1}
    assert stock_left() == (0, 0)
    # The database's own check is the second net; the lock is the first, and nobody fell through it.
    assert set(SagaStep.objects.values_list("outcome", flat=True)) == {"done", "refused"}
    assert list(Reservation.objects.values_list("status", flat=True)) == ["committed"]
    assert sum(books(order_id, gateway_book).captures for order_id in order_ids) == 1
    assert Counter(Payment.objects.values_list("status", flat=True)) == {
        "captured": 1,
        "voided": CALLERS - 1,
    }
    assert Counter(LoggedEvent.objects.filter(aggregatetype="order").values_list("type", flat=True)) == {
        "order.placed": CALLERS,
        "order.confirmed": 1,
        "order.cancelled": CALLERS - 1,
    }


def test_fifty_cancellations_at_once_are_one(shops: list[Shop], sandbox: SandboxClient) -> None:
    stock(1)
    order_id = UUID(shops[0].order().json()["id"])
    carry_to_the_end([order_id], within_s=30)

    answers = at_once(
        [lambda shop=shop: cancel_in_the_end(shop, order_id) for shop in shops]  # type: ignore[misc]
    )
    carry_to_the_end([order_id], within_s=30)

    assert Counter(answer.status_code for answer in answers) == {202: CALLERS}
    seen = books(order_id, sandbox.orders())
    assert (seen.status, seen.captured_minor, seen.refunded_minor) == ("cancelled", 1000, 1000)
    assert seen.events.count("order.cancelled") == 1
    assert stock_left() == (1, 0)
