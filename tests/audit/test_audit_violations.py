"""Each check fails when its promise is broken and names the rows; the others pass: none cries for another."""

from collections.abc import Callable

import httpx
import pytest

from payments.models import Operation
from resilience.audit import checks
from tests.audit import plants
from tests.audit.plants import ALSO
from tests.audit_kit import World, audit, execute, failed, result_of
from tests.sandbox.conftest import SECRET_KEY

IDS = [check.id for check in checks()] or ["none"]


@pytest.mark.parametrize("check_id", IDS)
def test_a_broken_promise_is_seen_by_its_check(check_id: str, world: World):
    rows = getattr(plants, check_id.lower())(world)

    found = failed(audit())

    assert found.keys() == {check_id, *ALSO.get(check_id, ())}
    assert found[check_id] == rows


def _currency_differs(world: World) -> set[str]:
    reference = world.payment(world.paid).reference
    world.gateway.do("/_console/tamper", payment_intent=reference, currency="usd")
    return {"C2", "C4", "L3"}


def _hold_after_the_end(world: World) -> set[str]:
    payment = world.payment(world.declined)
    metadata = {"order_id": str(world.declined), "payment_id": str(payment.id)}
    world.gateway.authorize(metadata=metadata)
    execute("UPDATE orders_order SET settled_at = settled_at - interval '2 minutes'")
    # The SDK sends a key of its own, which is none of ours.
    return {"C5", "C8"}


def _hold_for_nobody(world: World) -> set[str]:
    world.gateway.authorize(metadata={"order_id": "somebody else's"})
    return {"C3", "C8"}


def _write_without_a_key(world: World) -> set[str]:
    answer = httpx.post(
        f"{world.gateway.url}/v1/payment_intents",
        data={"amount": 999, "currency": "eur"},
        headers={"Authorization": f"Bearer {SECRET_KEY}"},
    )
    assert answer.status_code == 200
    return {"C8"}


def _more_refunded_than_captured(world: World) -> set[str]:
    plants.sqlite(world, "UPDATE refunds SET amount = 1100 WHERE order_id = ?", str(world.cancelled))
    return {"C6"}


def _one_refund_made_twice(world: World) -> set[str]:
    columns = "intent_id, charge_id, order_id, created, amount, currency, metadata, status, payment_method"
    plants.sqlite(
        world,
        f"INSERT INTO refunds (id, {columns}) SELECT 're_again', {columns} FROM refunds WHERE order_id = ?",
        str(world.refunded),
    )
    return {"C6"}


def _a_refund_the_gateway_never_made(world: World) -> set[str]:
    plants.sqlite(world, "DELETE FROM refunds WHERE order_id = ?", str(world.refunded))
    return {"C6"}


def _a_capture_that_nobody_noted(world: World) -> set[str]:
    """As when a worker forgot an order whose money was taken."""
    execute("UPDATE orders_order SET status = 'pending', settled_at = NULL WHERE id = %s", world.paid)
    return {"C4", "O4", "O5"}


def _a_saga_without_its_order(world: World) -> set[str]:
    execute("UPDATE resilience_saga SET business_key = gen_random_uuid() WHERE business_key = %s", world.paid)
    return {"O2"}


def _an_order_without_its_event(world: World) -> set[str]:
    world.tamper(
        "DELETE FROM resilience_event WHERE type = 'order.placed' AND aggregateid = %s", world.declined
    )
    return {"O1", "O5"}


def _a_lost_order(world: World) -> set[str]:
    """The worst of all: accepted, told, paid, and gone."""
    world.tamper("DELETE FROM orders_order WHERE id = %s", world.paid)
    return {"C3", "O1", "O2"}


def _a_step_left_out(world: World) -> set[str]:
    execute(
        "DELETE FROM resilience_saga_step WHERE step = 'capture_payment' AND saga_id ="
        " (SELECT id FROM resilience_saga WHERE definition = 'place_order' AND business_key = %s)",
        world.paid,
    )
    return {"O7"}


def _an_undo_over_a_doubt(world: World) -> set[str]:
    execute(
        "UPDATE resilience_saga_step SET outcome = 'indoubt' WHERE step = 'authorize_payment'"
        " AND direction = 'do' AND saga_id = (SELECT id FROM resilience_saga WHERE definition = 'place_order'"
        " AND business_key = %s)",
        world.declined,
    )
    return {"O7"}


def _a_saga_past_its_deadline(world: World) -> set[str]:
    execute(
        "UPDATE resilience_saga SET status = 'running', ended_at = NULL, due_at = now(),"
        " deadline_at = now() - interval '1 hour' WHERE business_key = %s",
        world.declined,
    )
    execute(
        "UPDATE orders_order SET status = 'pending', settled_at = NULL, placed_at = now() - interval '1 day'"
        " WHERE id = %s",
        world.declined,
    )
    return {"O4", "O5"}


@pytest.mark.parametrize(
    "plant",
    [
        _currency_differs,
        _hold_after_the_end,
        _hold_for_nobody,
        _write_without_a_key,
        _more_refunded_than_captured,
        _one_refund_made_twice,
        _a_refund_the_gateway_never_made,
        _a_capture_that_nobody_noted,
        _a_saga_without_its_order,
        _an_order_without_its_event,
        _a_lost_order,
        _a_step_left_out,
        _an_undo_over_a_doubt,
        _a_saga_past_its_deadline,
    ],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_another_way_to_break_it_is_seen_too(plant: Callable[[World], set[str]], world: World):
    expected = plant(world)

    assert failed(audit()).keys() == expected


def test_what_the_database_forbids_is_seen_where_it_was_allowed(world: World):
    with world.without("stock_reserved_never_exceeds_stock_on_hand", table="orders_product") as superuser:
        superuser.execute("UPDATE orders_product SET reserved = on_hand + 1")

        assert failed(audit()) == {"I1": [("product TEA",)], "I3": [("product TEA",)]}


def test_a_key_of_two_operations_is_seen_where_it_was_allowed(world: World):
    one = Operation.objects.get(payment__order_id=world.paid, kind="authorize")
    other = Operation.objects.get(payment__order_id=world.paid, kind="capture")
    constraint = "an_idempotency_key_is_never_used_again"
    with world.without(constraint, table="payments_operation") as superuser:
        superuser.execute("UPDATE payments_operation SET key = %s WHERE id = %s", [one.key, other.id])

        rows = failed(audit("C8"))["C8"]

    assert rows == [tuple(sorted(f"operation {id_}" for id_ in (one.id, other.id))), (f"key {other.key}",)]


def test_of_many_violations_the_first_are_named_and_all_are_counted(world: World):
    payment = world.payment(world.paid)
    execute(
        "INSERT INTO payments_gateway_notice (id, gateway, event_id, type, reference, body, status, detail,"
        " received_at) SELECT gen_random_uuid(), 'sandbox-1', 'evt_' || n, 'charge.refunded', '', '{}',"
        " 'received', %s, now() - interval '1 hour' FROM generate_series(1, 50) n",
        str(payment.id),
    )

    result = result_of(audit(), "B6")

    assert (result.total, len(result.violations)) == (50, 20)
