"""The admin is a window: every list and page shows, none writes, none shows a secret, none asks per row."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags

from orders.models import Order, OrderLine, Product, Reservation
from orders.states import OrderStatus
from payments.events import PaymentVoided
from payments.models import (
    Dispute,
    GatewayNotice,
    LedgerSeal,
    LedgerTransaction,
    Operation,
    Payment,
    ReconciliationException,
    ReconciliationRun,
    Refund,
)
from payments.states import (
    ExceptionKind,
    OperationKind,
    PaymentStatus,
    Phase,
    RefundSource,
    RunStatus,
)
from resilience import read_only_admin
from resilience.apikeys.models import ApiKey
from resilience.audit.models import AuditRun
from resilience.breaker.models import BreakerOverride, BreakerOverrideChange, BreakerTransition
from resilience.events import Fact, append
from resilience.events.models import DeadLetter, LoggedEvent, SubscriptionChange, SubscriptionState
from resilience.flags.models import FlagChange, FlagGuard
from resilience.ids import new_id
from resilience.saga.models import Saga, SagaStep
from resilience.saga.states import SagaStatus
from resilience.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.ledger_kit import Sale, post_committed

# Only the primary may be read: a page that asks the replica fails here.
pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = hashlib.sha256(b"hf_secret").digest()


def make_order(number: int) -> UUID:
    order = Order.objects.create(
        client="shop",
        status=OrderStatus.CONFIRMED,
        customer_reference=f"customer-{number}",
        currency="EUR",
        shipping_minor=490,
        total_minor=1789,
        placed_at=NOW,
    )
    for position in range(number + 1):
        product = Product.objects.create(
            sku=f"sku-{number}-{position}", name="Tea", price_minor=1299, currency="EUR", updated_at=NOW
        )
        OrderLine.objects.create(
            order=order,
            position=position,
            sku=product.sku,
            name="Tea",
            quantity=1,
            unit_price_minor=1299,
            total_minor=1299,
        )
        Reservation.objects.create(order=order, product=product, quantity=1)
    return order.pk


def make_product(number: int) -> str:
    Product.objects.create(
        sku=f"tea-{number}",
        name="Tea",
        price_minor=1299,
        currency="EUR",
        on_hand=7,
        reserved=2,
        updated_at=NOW,
    )
    return f"tea-{number}"


def make_payment(number: int) -> UUID:
    payment = Payment.objects.create(
        order_id=new_id(),
        client="shop",
        position=0,
        method="pm_card_visa",
        amount_minor=1789,
        currency="EUR",
        status=PaymentStatus.AUTHORIZED,
        gateway="sandbox-1",
        reference=f"pi_{number}",
        in_doubt_since=NOW,
        created_at=NOW,
    )
    kinds = (OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID)[: number + 1]
    for kind in kinds:
        Operation.objects.create(
            payment=payment,
            kind=kind,
            gateway="sandbox-1",
            key=f"{kind}-{new_id()}",
            amount_minor=1789,
            phase=Phase.SENT,
            created_at=NOW,
        )
    for part in range(number + 1):
        Refund.objects.create(
            payment=payment,
            amount_minor=1,
            source=RefundSource.REQUEST,
            reason=f"cup {part}",
            created_at=NOW,
        )
        Dispute.objects.create(
            payment=payment,
            gateway="sandbox-1",
            reference=f"dp_{number}_{part}",
            amount_minor=1,
            currency="EUR",
            opened_at=NOW,
        )
    return payment.pk


def make_notice(number: int) -> UUID:
    return GatewayNotice.objects.create(
        gateway="sandbox-1",
        event_id=f"evt_{number}",
        type="charge.refunded",
        reference=f"pi_{number}",
        body={"data": {"object": {"amount_refunded": 500}}},
        received_at=NOW,
    ).pk


def make_run(number: int) -> UUID:
    share = {"items": 3, "explained": 2, "amount_minor": 3000, "explained_minor": 2000}
    return ReconciliationRun.objects.create(
        gateway="sandbox-1",
        status=RunStatus.FINISHED,
        lines=number,
        summary={"EUR": share},
        started_at=NOW,
        finished_at=NOW,
    ).pk


def make_exception(number: int) -> UUID:
    return ReconciliationException.objects.create(
        gateway="sandbox-1",
        kind=ExceptionKind.MISSING_CHARGE,
        reference=f"pi_{number}",
        ours="1789 EUR",
        first_seen_at=NOW,
        last_seen_at=NOW,
    ).pk


def make_booking(number: int) -> int:
    """Make a transaction with a pair of entries per number."""
    booking = Sale(1789).captured()
    post_committed(replace(booking, entries=booking.entries * (number + 1)))
    return LedgerTransaction.objects.get(source=booking.source).pk


def make_seal(number: int) -> int:
    return LedgerSeal.objects.create(
        last_xid=1,
        last_transaction_id=number,
        transactions=0,
        previous_digest=f"{number:064d}",
        digest=f"{number:x}" * 64,
        marks=b"",
        balances={"receivable EUR": -1789},
        sealed_at=NOW,
    ).pk


def make_audit_run(number: int) -> UUID:
    return AuditRun.objects.create(
        started_at=NOW,
        finished_at=NOW,
        verdict="fail",
        results={"checks": [{"id": "C1", "verdict": "pass"}, {"id": f"L{number}", "verdict": "fail"}]},
    ).pk


def make_breaker_override(number: int) -> str:
    return BreakerOverride.objects.create(
        name=f"gateway:{number}",
        state="forced_open",
        owner="ada",
        reason="a drill",
        until=NOW + timedelta(hours=1),
        created_at=NOW,
    ).pk


def make_breaker_change(number: int) -> UUID:
    return BreakerOverrideChange.objects.create(
        name=f"gateway:{number}", action="release", operator="ada", reason="a drill", at=NOW
    ).pk


def make_breaker_transition(number: int) -> UUID:
    return BreakerTransition.objects.create(
        breaker=f"gateway:{number}",
        scope="fleet",
        before="open",
        after="half_open",
        process="web:1",
        total=9,
        failed=8,
        slow=0,
        failing_workers=2,
        at=NOW,
    ).pk


def make_flag_change(number: int) -> UUID:
    return FlagChange.objects.create(
        name=f"flag-{number}",
        change="turned off",
        by="guard",
        reason="9.9% of 10",
        evidence={"on": 7},
        at=NOW,
    ).pk


def make_flag_guard(number: int) -> int:
    seen = {"on": 10, "on_bad": 3, "off": 40, "off_bad": 2}
    return FlagGuard.objects.create(
        flag=f"flag-{number}", measure="failed", version="v", seen=seen, log_e=1.5, looked_at=NOW
    ).pk


def make_saga(number: int, *, cursor: int = 1, definition: str = "place_order") -> UUID:
    saga = Saga.objects.create(
        definition=definition,
        version=1,
        business_key=new_id(),
        status=SagaStatus.RUNNING,
        cursor=cursor,
        due_at=NOW,
        deadline_at=NOW + timedelta(days=1),
        created_at=NOW,
    )
    for attempt in range(number + 1):
        SagaStep.objects.create(
            saga=saga,
            fence=1,
            step="authorize_payment",
            direction="do",
            attempt=attempt + 1,
            outcome="indoubt",
            error=f"silence {attempt}",
            started_at=NOW,
            finished_at=NOW,
        )
    return saga.pk


def make_event(_number: int) -> UUID:
    payment_id = new_id()
    append([Fact(payment_id, PaymentVoided(payment_id, new_id()))], occurred_at=NOW)
    return LoggedEvent.objects.get(aggregateid=payment_id).pk


def make_subscription(number: int) -> int:
    return SubscriptionState.objects.create(name=f"reader-{number}", updated_at=NOW).pk


def make_dead_letter(_number: int) -> UUID:
    return DeadLetter.objects.create(
        subscription="reader",
        event_id=new_id(),
        aggregatetype="order",
        aggregateid=new_id(),
        sequence=1,
        type="order.placed",
        version=1,
        payload={},
        occurred_at=NOW,
        recorded_at=NOW,
        error="ValueError: no",
        attempts=8,
        died_at=NOW,
    ).pk


def make_key(number: int) -> UUID:
    return ApiKey.objects.create(
        client="shop",
        name=f"key {number}",
        prefix=f"prefix{number}",
        secret_sha256=SECRET,
        permissions=["orders.write"],
        created_at=NOW,
    ).pk


@dataclass(frozen=True)
class Page:
    """A model of the admin, how to make a row, and what its list and its page show."""

    model: type
    make: Callable[[int], object]
    in_list: str
    in_page: str
    list_queries_max: int = 5

    @property
    def list_address(self) -> str:
        return reverse(f"admin:{self.model._meta.label_lower.replace('.', '_')}_changelist")

    def address(self, key: object) -> str:
        return reverse(f"admin:{self.model._meta.label_lower.replace('.', '_')}_change", args=[key])


def make_endpoint(number: int) -> UUID:
    return WebhookEndpoint.objects.create(
        client="shop",
        url=f"https://hooks-{number}.example.com/",
        secret="hf_secret",
        secrets_before=[{"secret": "hf_secret", "until": NOW.isoformat()}],
        created_at=NOW,
    ).pk


def make_delivery(number: int) -> UUID:
    return WebhookDelivery.objects.create(
        endpoint_id=make_endpoint(number),
        event_id=new_id(),
        type="order.placed",
        aggregate_id=new_id(),
        sequence=1,
        body='{"specversion": "1.0"}',
        due_at=NOW,
        tried_since=NOW,
        created_at=NOW,
    ).pk


def make_subscription_change(_number: int) -> UUID:
    return SubscriptionChange.objects.create(
        subscription="orders.cache", change="paused", by="ann", reason="Redis is moved", at=NOW
    ).pk


PAGES = [
    Page(Order, make_order, "17.89 EUR", "4.90 EUR"),
    Page(Product, make_product, "12.99 EUR", "tea-0"),
    Page(Payment, make_payment, "17.89 EUR", "pm_card_visa"),
    Page(GatewayNotice, make_notice, "charge.refunded", '"amount_refunded": 500'),
    # Its balances are two queries more than a list has.
    Page(LedgerTransaction, make_booking, "captured", "-17.89 EUR", list_queries_max=6),
    Page(LedgerSeal, make_seal, "0" * 64, "receivable EUR"),
    Page(ReconciliationRun, make_run, "66.66 % EUR", "66.66 % EUR"),
    Page(ReconciliationException, make_exception, "missing_charge", "1789 EUR"),
    Page(Saga, make_saga, "authorize_payment", "silence 0"),
    Page(LoggedEvent, make_event, "payment.voided", "order_id"),
    Page(SubscriptionState, make_subscription, "reader-0", "reader-0"),
    Page(DeadLetter, make_dead_letter, "ValueError: no", "order.placed"),
    Page(AuditRun, make_audit_run, "L0", '"verdict": "fail"'),
    Page(FlagChange, make_flag_change, "turned off", '"on": 7'),
    Page(FlagGuard, make_flag_guard, "3 / 10", "failed"),
    Page(BreakerOverride, make_breaker_override, "forced_open", "a drill"),
    Page(BreakerOverrideChange, make_breaker_change, "release", "a drill"),
    Page(BreakerTransition, make_breaker_transition, "half_open", "gateway:"),
    Page(WebhookEndpoint, make_endpoint, "https://hooks-0.example.com/", "https://hooks-0.example.com/"),
    Page(WebhookDelivery, make_delivery, "order.placed", "specversion"),
    Page(SubscriptionChange, make_subscription_change, "paused", "Redis is moved"),
    Page(ApiKey, make_key, "hf_prefix0_…", "orders.write"),
]
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
        "page": 403,
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

    assert len(for_long) == len(for_short) <= 8


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


def test_an_order_leads_to_its_sagas_and_payments(operator: Client):
    key = make_order(0)

    text = text_of(operator, reverse("admin:orders_order_change", args=[key]))

    assert f"{reverse('admin:resilience_saga_changelist')}?q={key}" in text
    assert f"{reverse('admin:payments_payment_changelist')}?q={key}" in text


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
