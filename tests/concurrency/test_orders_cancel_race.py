"""A cancellation that meets a payment half way: whoever comes first, the money and the stock come back."""

import time
from collections import Counter
from collections.abc import Callable
from random import Random
from uuid import UUID

import pytest

from orders.models import Reservation
from orders.services.cancel_order import cancel_order
from payments.models import Payment
from resilience.clock import now
from tests.conftest import SandboxClient
from tests.orders_kit import CLIENT, books, carry_to_the_end, place, runner, saga_ids, stock, stock_left
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)
RACES = 30
# One after the other would take too long, all at once would make every cancellation come first.
AT_ONCE = 3
PIECES = 100
# An order alone takes about this long from its claim to its end.
OFFSET_S_MAX = 0.12


def test_every_cancellation_that_races_a_capture_ends_with_nothing_taken(sandbox: SandboxClient) -> None:
    stock(PIECES)
    random = Random(20260731)
    order_ids = [place(*["pm_card_visa"] * random.choice([1, 2])) for _race in range(RACES)]
    came_first = Counter[str]()

    for first in range(0, RACES, AT_ONCE):
        racing = order_ids[first : first + AT_ONCE]
        calls: list[Callable[[], object]] = [_carrying(order_id) for order_id in racing]
        calls += [_cancelling(order_id, after_s=random.uniform(0, OFFSET_S_MAX)) for order_id in racing]
        at_once(calls)
    carry_to_the_end(order_ids, within_s=60)

    gateway_book = sandbox.orders()
    for order_id in order_ids:
        seen = books(order_id, gateway_book)
        assert seen.status == "cancelled"
        assert seen.captured_minor - seen.refunded_minor == 0
        assert seen.captured_minor in (0, 1000)
        assert seen.open_authorizations == 0
        assert seen.events.count("order.cancelled") == 1
        came_first["capture" if seen.captures else "cancellation"] += 1
    assert stock_left() == (PIECES, 0)
    assert set(Reservation.objects.values_list("status", flat=True)) <= {"released"}
    assert set(Payment.objects.values_list("status", flat=True)) <= {"voided", "refunded"}
    assert len(came_first) == 2, f"the offsets are too one-sided to say anything: {came_first}"


def _carrying(order_id: UUID) -> Callable[[], object]:
    ids = saga_ids([order_id])
    return lambda: runner(lease_s=10, name=f"carrier of {order_id}").run(ids)


def _cancelling(order_id: UUID, *, after_s: float) -> Callable[[], object]:
    def cancel() -> bool:
        time.sleep(after_s)  # the offset itself, not a wait for anything
        return cancel_order(client=CLIENT, order_id=order_id, now=now())

    return cancel
