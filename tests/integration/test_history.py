"""A past made up: as many rows as are said, that the pages show and a second helping adds to."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from config.history.seeding import STEPS_PER_ORDER, seed
from orders.models import Order
from payments.models import Operation, Payment
from resilience.events.models import LoggedEvent
from resilience.saga.models import Saga, SagaStep
from tests.admin_rows import make_product

pytestmark = pytest.mark.django_db(databases=["default", "replica", "dashboard"])
UNTIL = datetime(2026, 3, 1, tzinfo=UTC)


def test_without_a_catalogue_nothing_can_have_been_ordered():
    with pytest.raises(LookupError):
        seed(1, until=UNTIL, over=timedelta(days=1))


def test_every_order_has_its_payment_saga_steps_and_events(client: Client):
    make_product(0)
    make_product(1)

    events = seed(30, until=UNTIL, over=timedelta(days=3))
    events += seed(12, until=UNTIL, over=timedelta(days=3))

    assert (Order.objects.count(), Payment.objects.count(), Saga.objects.count()) == (42, 42, 42)
    assert (Operation.objects.count(), SagaStep.objects.count()) == (84, 42 * STEPS_PER_ORDER)
    assert events == LoggedEvent.objects.count() == 42 * 4
    first, last = Order.objects.earliest("placed_at"), Order.objects.latest("placed_at")
    assert UNTIL - timedelta(days=3) <= first.placed_at < last.placed_at < UNTIL
    # Ids are of their time: the newest row is the last one of every index.
    assert Order.objects.latest("pk").placed_at > first.placed_at

    client.force_login(User.objects.create_superuser("ann"))
    page = client.get(f"/admin/orders/order/{last.pk}/change/").content.decode()
    assert "capture_payment" in page
    assert "order.confirmed" in page
