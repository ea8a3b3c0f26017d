"""The page of an order, in the place of the admin's own."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest

from config.dashboard.order.drawing import Drawing, draw
from config.dashboard.order.story import ENTRIES_MAX, KINDS, lines_of
from config.dashboard.page import OPERATE, page
from orders.models import Order
from orders.states import OrderStatus
from payments.admin.ledger import signed
from payments.models import Payment, Refund
from payments.money import Money
from payments.states import DisputeStatus
from resilience import clock
from resilience.saga.models import Saga, SagaStep

# Beside an order's own: its refunds and observations; more are in the list of sagas.
_SAGAS_MAX = 20
_STEPS_MAX = 400
_LEVELS = {
    OrderStatus.CONFIRMED: "good",
    OrderStatus.CANCELLED: "down",
    OrderStatus.PENDING: "reduced",
    OrderStatus.REQUIRES_ACTION: "reduced",
}


@page("dashboard/order.html", title="Order", permission="orders.view_order")
def order_view(request: HttpRequest, order_id: UUID) -> dict[str, Any]:
    """Return an order with its lines, payments, sagas and story, as the primary knows them; 404."""
    order = Order.objects.using("default").prefetch_related("lines").filter(pk=order_id).first()
    if order is None:
        raise Http404(f"There is no order {order_id}.")
    rows = Payment.objects.using("default").filter(order_id=order_id).prefetch_related("disputes")
    payments = list(rows.order_by("position"))
    refunds = list(Refund.objects.using("default").filter(payment__in=payments).values_list("pk", flat=True))
    drawings = _drawings([order_id, *refunds])
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else ""
    subjects = [*(payment.pk for payment in payments), *refunds, *(one.saga.pk for one in drawings)]
    breakers = sorted({f"gateway:{payment.gateway}" for payment in payments if payment.gateway})
    return {
        "title": f"Order {order.number}",
        "order": order,
        "level": _LEVELS.get(OrderStatus(order.status), "reduced"),
        "money": _money(order, payments),
        "payments": [
            {"row": payment, "amount": Money(payment.amount_minor, payment.currency)}
            | {name: Money(getattr(payment, f"{name}_minor"), payment.currency) for name in _AMOUNTS}
            for payment in payments
        ],
        "lines": [
            {"row": line, "each": Money(line.unit_price_minor, order.currency)}
            | {"total": Money(line.total_minor, order.currency)}
            for line in order.lines.all()
        ],
        "shipping": Money(order.shipping_minor, order.currency),
        "drawings": drawings,
        "story": lines_of(order_id, subjects=subjects, breakers=breakers, kind=kind),
        "entries_max": ENTRIES_MAX,
        "steps_max": _STEPS_MAX,
        "kinds": KINDS.items(),
        "kind": kind,
        "may_act": request.user.has_perm(OPERATE),
        "is_open": order.status != OrderStatus.CANCELLED,
    }


_AMOUNTS = ("captured", "refunded")


def _money(order: Order, payments: list[Payment]) -> list[tuple[str, str]]:
    """Return what is said of the money first, as (what, amount)."""
    captured = sum(payment.captured_minor for payment in payments)
    refunded = sum(payment.refunded_minor for payment in payments)
    reserved = sum(payment.refund_reserved_minor for payment in payments)
    disputed = sum(
        dispute.amount_minor
        for payment in payments
        for dispute in payment.disputes.all()
        if dispute.status != DisputeStatus.WON
    )
    doubtful = sum(payment.amount_minor for payment in payments if payment.in_doubt_since)
    told = [
        ("costs", order.total_minor),
        ("taken", captured),
        ("given back", refunded),
        ("on its way back", reserved),
        ("disputed", disputed),
        ("kept", captured - refunded - disputed),
        ("in doubt", doubtful),
    ]
    always = ("costs", "taken", "kept")
    return [(what, signed(minor, order.currency)) for what, minor in told if minor or what in always]


def _drawings(business_keys: list[UUID]) -> list[Drawing]:
    sagas = Saga.objects.using("default").filter(business_key__in=business_keys).order_by("created_at", "pk")
    found = list(sagas[:_SAGAS_MAX])
    # The newest: of one that was tried for days, what it does now is what somebody looks for.
    rows = SagaStep.objects.using("default").filter(saga__in=found).order_by("-pk")[:_STEPS_MAX]
    steps: dict[UUID, list[SagaStep]] = {}
    for step in reversed(rows):
        steps.setdefault(step.saga_id, []).append(step)
    return [draw(saga, steps.get(saga.pk, []), now=clock.now()) for saga in found]
