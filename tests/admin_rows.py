"""Rows of every model that the admin shows, and what their lists and pages show of them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.urls import reverse

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
from resilience.apikeys.models import ApiKey
from resilience.audit.models import AuditRun
from resilience.audit_trail.models import AuditTrail, StaffAction
from resilience.breaker.models import BreakerOverride, BreakerOverrideChange, BreakerTransition
from resilience.events import Fact, append
from resilience.events.models import DeadLetter, LoggedEvent, SubscriptionChange, SubscriptionState
from resilience.flags.models import FlagChange, FlagGuard
from resilience.ids import new_id
from resilience.saga.models import Saga, SagaStep
from resilience.saga.states import SagaStatus
from resilience.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.ledger_kit import Sale, post_committed

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
    page_queries_max: int = 8

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


def make_deed(_number: int) -> UUID:
    return StaffAction.objects.create(
        action="order-cancel", subject=str(new_id()), by="ann", reason="they asked", outcome="", at=NOW
    ).pk


def make_subscription_change(_number: int) -> UUID:
    return SubscriptionChange.objects.create(
        subscription="orders.cache", change="paused", by="ann", reason="Redis is moved", at=NOW
    ).pk


PAGES = [
    # The dashboard's page of an order tells its whole story.
    Page(Order, make_order, "17.89 EUR", "4.90 EUR", page_queries_max=30),
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
    Page(AuditTrail, make_deed, "order-cancel", "they asked", list_queries_max=5),
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
