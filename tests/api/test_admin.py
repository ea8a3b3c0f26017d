"""The admin is a window: every list and page shows, none writes, none shows a secret, none asks per row."""

from html import unescape

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags

from orders.models import Order
from payments.models import (
    GatewayNotice,
    LedgerTransaction,
    Payment,
    ReconciliationException,
    ReconciliationRun,
    Refund,
)
from resilience import read_only_admin
from resilience.apikeys.models import ApiKey
from resilience.audit.models import AuditRun
from resilience.events.models import DeadLetter, LoggedEvent
from resilience.ids import new_id
from resilience.saga.models import Saga
from tests.admin_rows import PAGES, SECRET, Page, make_key, make_order, make_payment, make_product, make_saga
from tests.ledger_kit import Sale, post_committed

# Only the primary may be read: a page that asks the replica fails here.
pytestmark = pytest.mark.django_db

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.model.__name__)


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def text_of(client: Client, address: str, **query: object) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def words_of(client: Client, address: str) -> str:
    """Return what a reader sees of a page, without tags and with single spaces."""
    return " ".join(unescape(strip_tags(text_of(client, address))).split())


@each_page
def test_a_list_shows_its_rows(operator: Client, page: Page):
    page.make(0)

    assert page.in_list in text_of(operator, page.list_address)


@each_page
def test_a_page_shows_its_row(operator: Client, page: Page):
    key = page.make(0)

    assert page.in_page in words_of(operator, page.address(key))


@each_page
def test_nothing_can_be_written(operator: Client, page: Page):
    key = page.make(0)
    before = list(page.model.objects.values())
    root = page.list_address

    answers = {
        "list": operator.post(root, {"action": "delete_selected", "_selected_action": str(key)}),
        "page": operator.post(page.address(key), {"status": "cancelled"}),
        "add": operator.get(f"{root}add/"),
        "added": operator.post(f"{root}add/", {}),
        "deleted": operator.post(page.address(key).replace("/change/", "/delete/"), {"post": "yes"}),
    }

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "list": 405,
        # The dashboard's own page of an order takes no POST at all.
        "page": 405 if page.model is Order else 403,
        "add": 403,
        "added": 403,
        "deleted": 403,
    }
    assert list(page.model.objects.values()) == before


@each_page
def test_a_stranger_sees_nothing(client: Client, page: Page):
    key = page.make(0)

    assert client.get(page.list_address).status_code == 302
    assert client.get(page.address(key)).status_code == 302


@each_page
def test_a_list_asks_no_more_for_many_rows_than_for_one(operator: Client, page: Page):
    page.make(0)
    text_of(operator, page.list_address)
    with CaptureQueriesContext(connection) as for_one:
        text_of(operator, page.list_address)
    for number in range(1, 12):
        page.make(number)

    with CaptureQueriesContext(connection) as for_many:
        text_of(operator, page.list_address)

    assert len(for_many) == len(for_one) <= page.list_queries_max


@each_page
def test_a_page_asks_no_more_for_long_history_than_for_short(operator: Client, page: Page):
    short, long = page.make(0), page.make(9)
    text_of(operator, page.address(short))
    with CaptureQueriesContext(connection) as for_short:
        text_of(operator, page.address(short))

    with CaptureQueriesContext(connection) as for_long:
        text_of(operator, page.address(long))

    assert len(for_long) == len(for_short) <= page.page_queries_max


@each_page
def test_a_search_for_nonsense_finds_nothing(operator: Client, page: Page):
    page.make(0)

    assert "0 results" in text_of(operator, page.list_address, q="no such thing '\"% 🙂")


@pytest.mark.parametrize(
    ("model", "query"),
    [
        (Order, {"status": "confirmed"}),
        (Payment, {"status": "authorized"}),
        (Payment, {"in_doubt_since__isempty": "0"}),
        (Payment, {"gateway": "sandbox-1"}),
        (GatewayNotice, {"status": "received", "type": "charge.refunded", "gateway": "sandbox-1"}),
        (LedgerTransaction, {"kind": "captured", "gateway": "sandbox-1"}),
        (ReconciliationRun, {"status": "finished", "gateway": "sandbox-1"}),
        (ReconciliationException, {"kind": "missing_charge", "resolved_at__isempty": "1"}),
        (Saga, {"status": "running", "definition": "place_order", "abort_requested__exact": "0"}),
        (LoggedEvent, {"type": "payment.voided"}),
        (DeadLetter, {"redelivered_at__isempty": "1"}),
        (AuditRun, {"verdict": "fail"}),
        (ApiKey, {"revoked_at__isempty": "1"}),
    ],
    ids=str,
)
def test_a_filter_keeps_what_fits(operator: Client, model: type, query: dict[str, str]):
    page = next(page for page in PAGES if page.model is model)
    page.make(0)

    assert page.in_list in text_of(operator, page.list_address, **query)


@pytest.mark.parametrize(
    ("model", "status"), [(Order, "cancelled"), (Payment, "refunded"), (Saga, "parked")], ids=str
)
def test_a_filter_drops_what_does_not_fit(operator: Client, model: type, status: str):
    page = next(page for page in PAGES if page.model is model)
    page.make(0)

    assert "0 results" in text_of(operator, page.list_address, status=status) or (
        page.in_list not in text_of(operator, page.list_address, status=status)
    )


def test_an_order_is_found_by_its_id_and_by_its_number(operator: Client):
    order = Order.objects.get(pk=make_order(0))
    make_order(1)
    address = reverse("admin:orders_order_changelist")

    for term in (str(order.pk), str(order.number), "customer-0"):
        found = text_of(operator, address, q=term)
        assert "customer-0" in found
        assert "customer-1" not in found


def test_a_payment_leads_to_its_order(operator: Client):
    key = make_payment(0)
    order_id = Payment.objects.get(pk=key).order_id

    text = text_of(operator, reverse("admin:payments_payment_change", args=[key]))

    assert reverse("admin:orders_order_change", args=[order_id]) in text


def test_a_payment_shows_its_refunds_and_disputes_and_leads_to_ledger_and_notices(operator: Client):
    key = make_payment(1)
    order_id = Payment.objects.get(pk=key).order_id

    text = text_of(operator, reverse("admin:payments_payment_change", args=[key]))

    for shown in (*(str(refund.pk) for refund in Refund.objects.all()), "cup 0", "cup 1", "dp_1_0", "dp_1_1"):
        assert shown in text
    assert f"{reverse('admin:payments_ledgertransaction_changelist')}?q={order_id}" in text
    assert f"{reverse('admin:payments_gatewaynotice_changelist')}?q={key}" in text


def test_a_booking_leads_to_its_payment_and_its_order(operator: Client):
    sale, refund_id = Sale(1789), new_id()
    post_committed(sale.captured(), sale.refunded(refund_id), sale.refund_failed(refund_id))
    reversal = LedgerTransaction.objects.get(kind="refund_failed")

    text = text_of(operator, reverse("admin:payments_ledgertransaction_change", args=[reversal.pk]))

    assert reverse("admin:orders_order_change", args=[sale.order_id]) in text
    assert reverse("admin:payments_payment_change", args=[sale.payment_id]) in text
    assert reverse("admin:payments_ledgertransaction_change", args=[reversal.reverses_id]) in text


def test_balances_stand_above_the_ledger(operator: Client):
    post_committed(Sale(1789).captured(), Sale(7, currency="JPY").captured())

    text = text_of(operator, reverse("admin:payments_ledgertransaction_changelist"))

    assert "17.89 EUR" in text
    assert "-7 JPY" in text
    assert "2 transactions wait" in text


@pytest.mark.parametrize(("cursor", "definition"), [(9, "place_order"), (2, "of_another_version")])
def test_a_saga_that_this_process_does_not_know_is_shown_all_the_same(
    operator: Client, cursor: int, definition: str
):
    make_saga(0, cursor=cursor, definition=definition)

    assert f"step {cursor}" in text_of(operator, reverse("admin:resilience_saga_changelist"))


def test_the_hash_of_a_key_is_shown_nowhere(operator: Client):
    key = make_key(0)

    texts = [
        text_of(operator, reverse("admin:resilience_apikey_changelist")),
        text_of(operator, reverse("admin:resilience_apikey_change", args=[key])),
    ]

    for text in texts:
        assert "sha256" not in text
        assert SECRET.hex() not in text
        assert repr(SECRET) not in text


def test_of_a_long_history_the_end_is_shown(operator: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_only_admin, "INLINE_ROWS_MAX", 3)
    key = make_saga(9)

    text = text_of(operator, reverse("admin:resilience_saga_change", args=[key]))

    assert [number for number in range(10) if f"silence {number}" in text] == [7, 8, 9]


def test_a_list_counts_to_a_limit(operator: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_only_admin, "ROWS_COUNTED_MAX", 5)
    for number in range(8):
        make_product(number)

    assert "5 products" in words_of(operator, reverse("admin:orders_product_changelist"))


def test_times_are_told_to_the_second(operator: Client):
    key = make_order(0)

    shown = words_of(operator, reverse("admin:orders_order_change", args=[key]))

    assert "2026-03-01 12:00:00" in shown
    assert "p.m." not in words_of(operator, reverse("admin:orders_order_changelist"))


def test_every_model_of_ours_that_the_admin_shows_is_read_only():
    ours = [
        model
        for model in admin.site._registry
        if model._meta.app_label in ("orders", "payments", "resilience")
    ]

    assert {page.model for page in PAGES} == set(ours)
    assert all(isinstance(admin.site._registry[model], read_only_admin.ReadOnlyAdmin) for model in ours)
