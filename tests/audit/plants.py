"""One broken promise each: as a bug of ours would leave it, or as the gateway would know it.

A plant returns the rows that its check must name. What it cannot help breaking too is in `ALSO`.
"""

import sqlite3
from contextlib import closing
from datetime import timedelta
from uuid import UUID

import httpx

from payments.ledger import sealing
from payments.models import LedgerSeal, LedgerTransaction, Operation, Refund
from resilience.clock import now
from resilience.ids import new_id
from resilience.saga.models import Saga, SagaStep
from tests.audit_kit import World, execute
from tests.sandbox.conftest import SECRET_KEY

Rows = list[tuple[str, ...]]

# A second charge is more than is due, and is in no ledger; an order in another state is no path; and so on.
ALSO = {"C1": {"C2", "L3"}, "C2": {"C4", "L3"}, "C3": {"L3"}, "C4": {"L3"}, "C5": {"L3"}, "L2": {"L1"}}


def b1(world: World) -> Rows:
    payment = world.payment(world.paid)
    world.tamper(
        "DELETE FROM resilience_event WHERE type = 'payment.captured' AND aggregateid = %s", payment.id
    )
    return [(f"payment {payment.id}",)]


def b2(world: World) -> Rows:
    refund = Refund.objects.get(payment__order_id=world.refunded)
    world.tamper(
        "DELETE FROM resilience_event WHERE type = 'payment.refunded' AND aggregateid = %s", refund.payment_id
    )
    return [(f"refund {refund.id}", f"payment {refund.payment_id}")]


def b3(world: World) -> Rows:
    payment = world.payment(world.paid)
    execute("UPDATE payments_payment SET status = 'authorized' WHERE id = %s", payment.id)
    return [(f"payment {payment.id}", f"order {world.paid}")]


def b4(world: World) -> Rows:
    payment = world.payment(world.paid)
    execute("UPDATE payments_payment SET refund_reserved_minor = 100 WHERE id = %s", payment.id)
    return [(f"payment {payment.id}",)]


def b5(world: World) -> Rows:
    payment, refund_id = world.payment(world.paid), new_id()
    Refund.objects.create(
        id=refund_id, payment=payment, amount_minor=100, source="request", status="pending", created_at=now()
    )
    execute("UPDATE payments_payment SET refund_reserved_minor = 100 WHERE id = %s", payment.id)
    return [(f"refund {refund_id}", f"payment {payment.id}")]


def b6(_world: World) -> Rows:
    notice_id = new_id()
    execute(
        "INSERT INTO payments_gateway_notice (id, gateway, event_id, type, reference, body, status, detail,"
        " received_at) VALUES (%s, 'sandbox-1', 'evt_1', 'charge.refunded', '', '{}', 'received', '', %s)",
        notice_id,
        now() - timedelta(minutes=6),
    )
    return [(f"notice {notice_id}",)]


def c1(world: World) -> Rows:
    payment = world.payment(world.paid)
    again = world.charge_again(world.paid, amount_minor=1000)
    references = sorted([payment.reference, again])
    return [(f"payment {payment.id}", *(f"sandbox-1 {reference}" for reference in references))]


def c2(world: World) -> Rows:
    payment = world.payment(world.paid)
    world.gateway.do("/_console/tamper", payment_intent=payment.reference, amount=1001)
    return [(f"order {world.paid}",), (f"payment {payment.id}", f"sandbox-1 {payment.reference}")]


def c3(world: World) -> Rows:
    order_id = str(new_id())
    charge = world.gateway.do("/_console/charge", amount=700, currency="eur", metadata={"order_id": order_id})
    return [(f"sandbox-1 {charge['id']}", f"order {order_id}")]


def c4(world: World) -> Rows:
    world.gateway.do("/_console/forget", payment_intent=world.payment(world.paid).reference)
    return [(f"order {world.paid}",)]


def c5(world: World) -> Rows:
    world.charge_again(world.declined, amount_minor=1000)
    return [(f"order {world.declined}",)]


def c6(world: World) -> Rows:
    refund = Refund.objects.get(payment__order_id=world.refunded)
    execute("UPDATE payments_refund SET amount_minor = 300 WHERE id = %s", refund.id)
    return [(f"refund {refund.id}", f"payment {refund.payment_id}")]


def c7(world: World) -> Rows:
    execute(
        "UPDATE orders_order_line SET unit_price_minor = 900, total_minor = 900 WHERE order_id = %s",
        world.paid,
    )
    execute("UPDATE orders_order SET shipping_minor = 100 WHERE id = %s", world.paid)
    return [(f"order {world.paid}",)]


def c8(world: World) -> Rows:
    operation = Operation.objects.get(payment__order_id=world.paid, kind="authorize")
    answer = httpx.post(
        f"{world.gateway.url}/v1/payment_intents",
        data={"amount": 999, "currency": "eur"},
        headers={"Authorization": f"Bearer {SECRET_KEY}", "Idempotency-Key": operation.key},
    )
    assert answer.status_code == 400
    return [(f"key {operation.key}",)]


def c9(world: World) -> Rows:
    operation = Operation.objects.get(payment__order_id=world.paid, kind="capture")
    execute(
        "UPDATE payments_operation SET phase = 'in_doubt', outcome = '', settled_at = NULL,"
        " in_doubt_since = %s WHERE id = %s",
        now() - timedelta(minutes=3),
        operation.id,
    )
    return [(f"payment {operation.payment_id}", f"operation {operation.id}")]


def c10(world: World) -> Rows:
    first = Operation.objects.get(payment__order_id=world.paid, kind="authorize")
    second = Operation.objects.create(
        payment_id=first.payment_id,
        kind="authorize",
        gateway="sandbox-2",
        key="authorize-beside",
        amount_minor=first.amount_minor,
        phase="settled",
        outcome="abandoned",
        created_at=first.created_at + (first.settled_at - first.created_at) / 2,
        settled_at=now(),
    )
    return [(f"payment {first.payment_id}", f"operation {first.id}", f"operation {second.id}")]


def c11(world: World) -> Rows:
    operation = Operation.objects.get(payment__order_id=world.paid, kind="authorize")
    execute("UPDATE payments_operation SET sends = 500 WHERE id = %s", operation.id)
    return [(f"payment {operation.payment_id}", f"operation {operation.id}")]


def i1(world: World) -> Rows:
    execute("UPDATE orders_reservation SET quantity = 5 WHERE order_id = %s", world.paid)
    return [(f"order {world.paid}", "product TEA")]


def i2(world: World) -> Rows:
    execute("UPDATE orders_reservation SET status = 'committed' WHERE order_id = %s", world.cancelled)
    return [(f"order {world.cancelled}", "product TEA")]


def i3(_world: World) -> Rows:
    execute("UPDATE orders_product SET reserved = 3")
    return [("product TEA",)]


def l1(world: World) -> Rows:
    booked = _book(world, "fee:sandbox-1:txn_1")
    return [(f"ledger transaction {booked} (fee:sandbox-1:txn_1)",)]


def l2(world: World) -> Rows:
    _book(world, "fee:sandbox-1:txn_1", ("fees", 5))
    return [()]


def l3(world: World) -> Rows:
    reference = world.payment(world.paid).reference
    refund = world.gateway.do("/_console/refund", payment_intent=reference, amount=300)
    return [(f"sandbox-1 {refund['id']}",)]


def l4(world: World) -> Rows:
    _seal()
    booked = LedgerTransaction.objects.order_by("xid", "id")[0]
    world.tamper(
        "UPDATE payments_ledger_transaction SET occurred_at = occurred_at - interval '1 day' WHERE id = %s",
        booked.id,
    )
    name = f"ledger transaction {booked.id} ({booked.source})"
    return [(name, f"ledger seal {LedgerSeal.objects.get().id}")]


def l5(world: World) -> Rows:
    payment = world.payment(world.paid)
    execute("UPDATE payments_payment SET refunded_minor = 1 WHERE id = %s", payment.id)
    return [(f"payment {payment.id}",)]


def l6(world: World) -> Rows:
    _seal()
    world.tamper(
        "UPDATE payments_ledger_seal SET balances = balances"
        " || jsonb_build_object('receivable EUR', (balances->>'receivable EUR')::bigint - 1)"
        " || jsonb_build_object('refunds EUR', (balances->>'refunds EUR')::bigint + 1)"
    )
    name = f"ledger seal {LedgerSeal.objects.get().id}"
    return [(name,), (name,)]


def l7(world: World) -> Rows:
    _book(world, "fee:sandbox-1:txn_1", ("fees", -5), ("dispute_losses", 5))
    return [()]


def l8(world: World) -> Rows:
    payment = world.payment(world.paid)
    original = LedgerTransaction.objects.get(source=f"capture:{payment.id}")
    booked = _book(world, "fee:sandbox-1:txn_1", ("fees", 5), ("refunds", -5), reverses_id=original.pk)
    names = (f"{booked} (fee:sandbox-1:txn_1)", f"{original.pk} ({original.source})")
    return [tuple(f"ledger transaction {name}" for name in names)]


def o1(_world: World) -> Rows:
    order_id = new_id()
    _answer("key-1", order_id)
    return [(f"order {order_id}",)]


def o2(world: World) -> Rows:
    execute("DELETE FROM resilience_saga WHERE definition = 'place_order' AND business_key = %s", world.paid)
    return [(f"order {world.paid}",)]


def o3(world: World) -> Rows:
    _answer("key-1", world.paid)
    _answer("key-2", world.paid)
    return [(f"order {world.paid}",)]


def o4(world: World) -> Rows:
    execute("UPDATE resilience_saga SET status = 'compensated' WHERE business_key = %s", world.paid)
    return [(f"order {world.paid}",)]


def o5(world: World) -> Rows:
    world.tamper(
        "DELETE FROM resilience_event WHERE type = 'order.confirmed' AND aggregateid = %s", world.paid
    )
    return [(f"order {world.paid}",)]


def o6(world: World) -> Rows:
    saga, line = _saga_and_last_line(world)
    world.tamper("UPDATE resilience_saga_step SET fence = 1000 WHERE id = %s", line.pk)
    return [(f"saga {saga.id}", f"saga step {line.pk}")]


def o7(world: World) -> Rows:
    saga, line = _saga_and_last_line(world)
    line.pk = None
    line.save(force_insert=True)
    return [(f"saga {saga.id}",)]


def o8(world: World) -> Rows:
    saga, _ = _saga_and_last_line(world)
    execute(
        "UPDATE resilience_saga SET status = 'running', ended_at = NULL, due_at = %s WHERE id = %s",
        now() - timedelta(minutes=1),
        saga.id,
    )
    return [(f"saga {saga.id}",)]


def sqlite(world: World, statement: str, *parameters: object) -> None:
    """Change the gateway's book behind its back."""
    with closing(sqlite3.connect(world.gateway.book, timeout=10)) as book, book:
        assert book.execute(statement, parameters).rowcount > 0


def _saga_and_last_line(world: World) -> tuple[Saga, SagaStep]:
    saga = Saga.objects.get(definition="place_order", business_key=world.paid)
    return saga, saga.log.order_by("-id")[0]


def _answer(key: str, order_id: UUID) -> None:
    execute(
        "INSERT INTO resilience_idempotencyrecord (client, endpoint, key, fingerprint, status, headers, body,"
        " created_at, expires_at) VALUES ('tester', 'POST /api/v1/orders', %s, '', 201, '{}',"
        " json_build_object('id', %s::text, 'number', (SELECT number FROM orders_order WHERE id = %s)),"
        " %s, %s)",
        key,
        order_id,
        order_id,
        now(),
        now() + timedelta(hours=24),
    )


def _book(world: World, source: str, *entries: tuple[str, int], reverses_id: int | None = None) -> int:
    moment = now()
    original = LedgerTransaction.objects.filter(pk=reverses_id).first()
    world.tamper(
        "INSERT INTO payments_ledger_transaction (source, kind, gateway, payment_id, reverses_id,"
        " occurred_at, recorded_at) VALUES (%s, 'fee', 'sandbox-1', %s, %s, %s, %s)",
        source,
        original and original.payment_id,
        reverses_id,
        moment,
        moment,
    )
    booked = LedgerTransaction.objects.get(source=source).pk
    for account, amount_minor in entries:
        world.tamper(
            "INSERT INTO payments_ledger_entry (transaction_id, account, currency, amount_minor)"
            " VALUES (%s, %s, 'EUR', %s)",
            booked,
            account,
            amount_minor,
        )
    return booked


def _seal() -> None:
    assert sealing.run_once(now=now(), limit=1000) > 0
