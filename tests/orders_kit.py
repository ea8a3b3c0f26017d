"""What tests of whole orders share: placing them, carrying their sagas to the end, reading the books."""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orders.models import Order, Product, Reservation
from orders.services.adjust_stock import adjust_stock
from orders.services.place_order import LineDraft, OrderDraft, PaymentDraft, place_order
from orders.services.put_product import put_product
from orders.subscriptions import REFUNDS
from payments.models import Payment, Refund
from payments.services.request_refund import request_refund
from resilience.clock import now
from resilience.events.models import LoggedEvent
from resilience.saga.models import Saga
from resilience.saga.runner import Counts, Runner
from resilience.saga.start import signal
from tests.events_kit import run_until_idle

CLIENT = "tester"
SKU = "TEA"
PRICE_MINOR = 1000


def stock(pieces: int, *, sku: str = SKU, currency: str = "EUR") -> None:
    """Put `pieces` of a product on sale."""
    put_product(sku=sku, name=sku.title(), price_minor=PRICE_MINOR, currency=currency, now=now())
    adjust_stock(sku=sku, by=pieces)


def place(*methods: str, quantity: int = 1, sku: str = SKU, currency: str = "EUR") -> UUID:
    """Place an order paid in equal parts by `methods` (one visa card by default); return its id."""
    methods = methods or ("pm_card_visa",)
    payments = [PaymentDraft(method, PRICE_MINOR * quantity // len(methods)) for method in methods[1:]]
    draft = OrderDraft(
        customer_reference="somebody",
        customer_email="",
        currency=currency,
        lines=(LineDraft(sku, quantity),),
        payments=(PaymentDraft(methods[0]), *payments),
        shipping_minor=0,
        metadata={},
    )
    return place_order(client=CLIENT, draft=draft, now=now()).order.id


def paid(*methods: str) -> tuple[UUID, Payment]:
    """Return an order that was paid by `methods` (one visa card by default), and its first payment."""
    order_id = place(*methods)
    carry_to_the_end([order_id], within_s=30)
    return order_id, payments(order_id)[0]


def refund(payment: Payment, amount_minor: int | None = None) -> UUID:
    """Ask for a refund (None: of all that is left); return its id."""
    return request_refund(
        client=CLIENT, payment_id=payment.id, amount_minor=amount_minor, reason="", now=now()
    ).id


def payments(order_id: UUID) -> list[Payment]:
    """Return the payments of an order as they stand, in its order."""
    return list(Payment.objects.filter(order_id=order_id).order_by("position"))


def order_status(order_id: UUID) -> str:
    """Return the status of an order, once it has heard of everything that was refunded."""
    run_until_idle(REFUNDS)
    return Order.objects.get(pk=order_id).status


def keys_of(order_ids: Iterable[UUID]) -> list[UUID]:
    """Return the business keys of the sagas of these orders and of their refunds."""
    refunds = Refund.objects.filter(payment__order_id__in=order_ids, source="request")
    return [*order_ids, *refunds.values_list("id", flat=True)]


def saga_ids(order_ids: Sequence[UUID]) -> list[UUID]:
    """Return the sagas of these orders."""
    return list(Saga.objects.filter(business_key__in=order_ids).values_list("id", flat=True))


def runner(*, lease_s: float, name: str = "", clock: Callable[[], datetime] = now) -> Runner:
    """Return a runner of this process with few threads for its calls."""
    return Runner(
        owner=name or f"test-{os.getpid()}", lease_s=lease_s, executor=ThreadPoolExecutor(8), clock=clock
    )


def carry_once(keys: Sequence[UUID], *, clock: Callable[[], datetime] = now) -> Counts:
    """Carry these sagas as far as they go now, as if whatever they wait for were due."""
    Saga.objects.filter(business_key__in=keys, due_at__isnull=False).update(due_at=now())
    return runner(lease_s=5.0, name="carrier", clock=clock).run(saga_ids(keys))


def carry_until(keys: Sequence[UUID], holds: Callable[[], bool], *, within_s: float) -> None:
    """Carry these sagas, telling each to look again at whatever it waits for, until `holds`."""
    carrier = runner(lease_s=5.0, name="carrier")
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, [
            (str(saga), saga.reason, list(map(str, saga.log.all())))
            for saga in Saga.objects.filter(business_key__in=keys)
        ]
        signal(business_keys=keys)
        carrier.run(saga_ids(keys))
        time.sleep(0.05)


def have_ended(keys: Sequence[UUID]) -> bool:
    """Tell whether no saga of these keys is under way."""
    return not Saga.objects.filter(business_key__in=keys, ended_at=None).exists()


def carry_to_the_end(order_ids: Sequence[UUID], *, within_s: float, lease_s: float = 5.0) -> None:
    """Be the worker of these orders' sagas until none is active; fail after `within_s`."""
    carrier = runner(lease_s=lease_s, name="carrier")
    deadline = time.monotonic() + within_s
    while (active := _active(order_ids)) and time.monotonic() < deadline:
        if carrier.run([saga.id for saga in active]) == Counts():
            time.sleep(0.02)
    assert not active, [(str(saga), saga.reason, list(map(str, saga.log.all()))) for saga in active]


def _active(order_ids: Sequence[UUID]) -> list[Saga]:
    return list(Saga.objects.filter(business_key__in=order_ids, status__in=["running", "compensating"]))


@dataclass(frozen=True)
class Books:
    """What the platform and the gateway say of one order, side by side. Amounts are the gateway's."""

    status: str
    captures: int
    captured_minor: int
    refunded_minor: int
    open_authorizations: int
    reservations: tuple[str, ...]
    events: tuple[str, ...]


def books(order_id: UUID, gateway_book: dict[str, Any]) -> Books:
    """Read both books about an order; `gateway_book` is `SandboxClient.orders()`."""
    seen = gateway_book.get(str(order_id), {})
    return Books(
        status=Order.objects.get(pk=order_id).status,
        captures=seen.get("captures", 0),
        captured_minor=seen.get("captured", 0),
        refunded_minor=seen.get("refunded", 0),
        open_authorizations=seen.get("open_authorizations", 0),
        reservations=tuple(
            Reservation.objects.filter(order_id=order_id).order_by("id").values_list("status", flat=True)
        ),
        events=tuple(
            LoggedEvent.objects.filter(aggregateid=order_id)
            .order_by("sequence")
            .values_list("type", flat=True)
        ),
    )


def stock_left(sku: str = SKU) -> tuple[int, int]:
    """Return pieces on hand and pieces reserved."""
    return Product.objects.values_list("on_hand", "reserved").get(pk=sku)
