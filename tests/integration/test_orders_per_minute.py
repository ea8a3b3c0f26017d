"""The first subscriber: orders per minute and per outcome, from events alone."""

import pytest

from analytics.models import OrdersPerMinute
from analytics.subscriptions import ORDERS_PER_MINUTE
from orders.services.cancel_order import cancel_order
from resilience.clock import now
from resilience.events import run_once
from tests.conftest import SandboxClient
from tests.orders_kit import CLIENT, carry_to_the_end, place, stock


@pytest.mark.django_db(transaction=True)
def test_each_order_is_counted_once_for_each_thing_that_became_of_it(sandbox: SandboxClient) -> None:
    stock(10)
    paid, declined, returned = place(), place("pm_card_visa_chargeDeclined"), place()
    carry_to_the_end([paid, declined, returned], within_s=20)
    cancel_order(client=CLIENT, order_id=returned, now=now())
    carry_to_the_end([returned], within_s=20)

    while run_once(ORDERS_PER_MINUTE, limit=100).handled:
        pass

    counted = {}
    for outcome, orders in OrdersPerMinute.objects.values_list("outcome", "orders"):
        counted[outcome] = counted.get(outcome, 0) + orders
    assert counted == {"placed": 3, "confirmed": 2, "cancelled": 1, "returned": 1}
