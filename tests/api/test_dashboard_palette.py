"""The command palette finds pages and things for who may see them; flags edited on their pages are logged."""

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from waffle import get_waffle_switch_model

from config.roles import VIEWER, ensure_roles
from orders.models import Order
from payments.models import Payment
from resilience.flags.models import FlagChange
from tests.admin_rows import make_order, make_payment, make_saga

pytestmark = pytest.mark.django_db
_MOMENT = ("2026-03-01", "12:00:00")


@pytest.fixture(autouse=True)
def _forget() -> None:
    # The theme keeps what a person searched for.
    cache.clear()


@pytest.fixture
def viewer() -> Client:
    ensure_roles()
    user = User.objects.create_user("bob", is_staff=True)
    user.groups.add(Group.objects.get(name=VIEWER))
    client = Client()
    client.force_login(user)
    return client


def found(client: Client, term: str) -> str:
    answer = client.get(reverse("admin:search"), {"s": term, "extended": "1"})
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_order_is_found_by_number_and_id_and_by_its_payment(viewer: Client):
    order = Order.objects.get(pk=make_order(0))
    payment = Payment.objects.get(pk=make_payment(3))
    Payment.objects.filter(pk=payment.pk).update(order_id=order.pk, gateway="sandbox-1")
    page = reverse("dashboard:order", args=[order.pk])

    for term in (str(order.number), str(order.pk), str(payment.pk)):
        assert page in found(viewer, term)
    assert page not in found(viewer, "00000000-0000-0000-0000-000000000000")


def test_a_saga_and_a_page_are_found(viewer: Client):
    saga_id = make_saga(0)

    assert reverse("admin:resilience_saga_change", args=[saga_id]) in found(viewer, str(saga_id))
    assert reverse("dashboard:money") in found(viewer, "money in")


@pytest.mark.parametrize("term", ["'; DROP TABLE", "9" * 40, "_", "%", "pi_", "🙂"])
def test_nonsense_finds_nothing_and_breaks_nothing(viewer: Client, term: str):
    assert "/change/" not in found(viewer, term)


def test_who_may_see_nothing_finds_nothing():
    order_id = make_order(0)
    client = Client()
    client.force_login(User.objects.create_user("nobody", is_staff=True))

    assert str(order_id) not in found(client, str(order_id)).replace(f'value="{order_id}"', "")


def test_a_switch_that_is_edited_on_its_page_is_in_the_log():
    client = Client()
    client.force_login(User.objects.create_superuser("ann"))
    switch = get_waffle_switch_model().objects.create(name="webhooks-out", active=True)
    page = reverse("admin:waffle_switch_change", args=[switch.pk])

    moment = {
        f"{name}_{place}": part for name in ("created", "modified") for place, part in enumerate(_MOMENT)
    }
    client.post(page, {"name": "webhooks-out", "note": "", **moment})

    [change] = FlagChange.objects.all()
    assert (change.name, change.by) == ("webhooks-out", "ann")
    assert "active False" in change.change
    client.post(reverse("admin:waffle_switch_delete", args=[switch.pk]), {"post": "yes"})
    assert FlagChange.objects.filter(change__startswith="deleted").count() == 1
