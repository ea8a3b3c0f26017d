"""Every list of the admin as a file: as it is filtered, and nothing in it runs."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from orders.models import Order
from tests.acting_kit import a_viewer
from tests.admin_rows import (
    make_order,
    make_payment,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer() -> Client:
    return a_viewer()


@pytest.mark.parametrize(
    "make",
    [lambda: ("orders_order", make_order(0)), lambda: ("payments_payment", make_payment(0))],
    ids=["order", "payment"],
)
def test_a_list_is_exported_as_it_is_filtered(viewer: Client, make: Callable[[], tuple[str, object]]):
    name, _key = make()

    answer = viewer.get(reverse(f"admin:{name}_export"), {"q": "nothing like it"})
    all_ = viewer.get(reverse(f"admin:{name}_export"))

    assert answer["Content-Type"].startswith("text/csv")
    assert len(answer.content.decode().splitlines()) == 1
    assert "17.89 EUR" in all_.content.decode()
    assert len(all_.content.decode().splitlines()) == 2


def test_an_export_runs_no_formula(viewer: Client):
    key = make_order(0)
    Order.objects.filter(pk=key).update(customer_reference='=HYPERLINK("http://evil.example")')

    text = viewer.get(reverse("admin:orders_order_export")).content.decode()

    assert "'=HYPERLINK" in text
