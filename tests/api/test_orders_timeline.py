"""What happened to an order, as its client reads it: all of it, in order, in pages, and nobody else's."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import Order
from payments.models import Dispute, GatewayNotice, Operation, Payment
from resilience import timeline as timelines
from resilience.apikeys.cache import known_keys
from resilience.ids import new_id
from resilience.saga import operate
from resilience.saga.models import Saga, SagaStep
from tests.api.foundation import assert_problem
from tests.api.shop import EVERYTHING, ORDERS, Shop, order_body
from tests.api.test_openapi_orders import assert_as_described
from tests.api.test_openapi_orders import document as document
from tests.conftest import SandboxClient
from tests.ledger_kit import NOW
from tests.orders_kit import carry_to_the_end, runner, saga_ids, stock

pytestmark = pytest.mark.django_db
# Sagas are carried by others than this test, who must see what it has written.
CARRIED = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
PRIMARY = {"consistency_token": "primary, please"}
NOBODYS = "01890000-0000-7000-8000-000000000000"
# The key is known by then. Order, payments, operations, refunds, disputes, webhooks, bookings with their
# entries, the keys of sagas, and then sagas, steps, operator actions, events.
STATEMENTS = 14


@pytest.fixture
def shop(sandbox: SandboxClient) -> Shop:
    known_keys.forget_all()
    stock(100)
    return Shop(permissions=EVERYTHING)


def read(shop: Shop, order_id: object, query: str = "") -> Any:
    return shop.get(f"{ORDERS}/{order_id}/timeline{query}", **PRIMARY)


def entries(shop: Shop, order_id: object) -> list[dict[str, Any]]:
    page = read(shop, order_id, "?limit=100").json()
    assert page["next_cursor"] is None
    data: list[dict[str, Any]] = page["data"]
    return data


def of(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [entry["details"] for entry in found if entry["kind"] == kind]


def titles(found: list[dict[str, Any]], kind: str) -> list[str]:
    return [entry["title"] for entry in found if entry["kind"] == kind]


def refunded_order(shop: Shop) -> tuple[str, Payment, UUID]:
    order = shop.order().json()
    carry_to_the_end([UUID(order["id"])], within_s=30)
    payment = Payment.objects.get(order_id=order["id"])
    refund_id = UUID(shop.refund(payment.pk, {"amount": 300, "reason": "broken"}).json()["id"])
    carry_to_the_end([refund_id], within_s=30)
    return order["id"], payment, refund_id


def test_an_order_that_was_just_placed(shop: Shop) -> None:
    order = shop.order().json()

    found = entries(shop, order["id"])

    assert [(entry["kind"], entry["title"]) for entry in found] == [
        ("saga", "place_order began"),
        ("event", "order.placed"),
    ]
    assert found[1]["details"]["aggregate"] == {"type": "order", "id": order["id"]}
    assert found[1]["details"]["data"]["total_minor"] == 1000


@CARRIED
def test_a_paid_and_partly_refunded_order_tells_all_of_it_in_order_of_time(shop: Shop) -> None:
    order_id, payment, refund_id = refunded_order(shop)

    found = entries(shop, order_id)

    times = [datetime.fromisoformat(entry["at"]) for entry in found]
    assert times == sorted(times)
    assert titles(found, "step") == [
        "reserve_stock: done",
        "authorize_payment: done",
        "capture_payment: done",
        "confirm_order: done",
        "refund_payment: done",
    ]
    assert titles(found, "saga") == [
        "place_order began",
        "place_order completed",
        "refund_payment began",
        "refund_payment completed",
    ]
    assert titles(found, "operation") == [
        "authorize asked",
        "authorize succeeded",
        "capture asked",
        "capture succeeded",
        "refund asked",
        "refund succeeded",
    ]
    assert titles(found, "refund") == ["Refund begun", "Refund succeeded"]
    assert titles(found, "event") == [
        "order.placed",
        "payment.authorized",
        "payment.captured",
        "order.confirmed",
        "payment.refunded",
    ]
    assert {details["payment_id"] for details in of(found, "ledger")} == {str(payment.pk)}
    key = Operation.objects.get(refund_id=refund_id).key
    settled = of(found, "operation")[-1]
    assert settled["key"] == f"{key[:8]}…"
    assert (settled["gateway"], settled["outcome"]) == ("sandbox-1", "succeeded")
    assert settled["amount"] == {"amount": 300, "currency": "EUR"}
    assert isinstance(settled["evidence"], dict)
    assert key not in str(found)


@CARRIED
def test_what_was_asked_shows_nothing_of_what_came_of_it(shop: Shop) -> None:
    order_id, _payment, _refund_id = refunded_order(shop)

    asked = [entry["details"] for entry in entries(shop, order_id) if entry["title"].endswith(" asked")]

    assert len(asked) == 3
    assert all(details.keys().isdisjoint({"outcome", "phase", "evidence", "error"}) for details in asked)


@CARRIED
def test_a_lost_answer_shows_the_doubt_the_attempts_and_the_wait_chosen(
    shop: Shop, sandbox: SandboxClient
) -> None:
    order = shop.order().json()
    sandbox.faults({"fault": "lose_answer", "operation": "create", "times": 1, "delay_ms": 50})
    carry_to_the_end([UUID(order["id"])], within_s=30)

    found = entries(shop, order["id"])

    assert titles(found, "operation")[:3] == ["authorize asked", "authorize in doubt", "authorize succeeded"]
    doubted, settled = (step for step in of(found, "step") if step["step"] == "authorize_payment")
    assert (doubted["outcome"], doubted["attempt"], settled["outcome"], settled["attempt"]) == (
        "indoubt",
        1,
        "done",
        2,
    )
    assert doubted["delay_s"] > 0
    assert doubted["error"]
    assert "://" not in str(found)


def test_a_bugs_own_words_are_not_shown_and_an_operator_is_not_named(shop: Shop) -> None:
    order_id = UUID(shop.order().json()["id"])
    saga = Saga.objects.get(business_key=order_id)
    SagaStep.objects.create(
        saga=saga,
        fence=1,
        step="reserve_stock",
        direction="do",
        attempt=1,
        outcome="crashed",
        error="KeyError: secret at https://10.0.0.1/x",
        started_at=NOW,
        finished_at=NOW,
    )
    Saga.objects.update(status="parked", parked_from="running", due_at=None)
    instruction = operate.Instruction(saga.pk, "jane@example.com", "asked ops@example.com", NOW)
    operate.retry(instruction)

    found = entries(shop, order_id)

    assert of(found, "step")[0]["error"] == "internal_error"
    [action] = of(found, "operator_action")
    assert action == {
        "saga": "place_order",
        "step": "reserve_stock",
        "action": "retry",
        "reason": "asked <e-mail>",
    }
    assert "jane" not in str(found)
    assert "KeyError" not in str(found)


def test_webhooks_disputes_and_observations_of_its_payments_are_in_it(shop: Shop) -> None:
    order_id = UUID(shop.order().json()["id"])
    payment = Payment.objects.get(order_id=order_id)
    notice = GatewayNotice.objects.create(
        gateway="sandbox-1",
        event_id="evt_1",
        type="charge.dispute.closed",
        body={"secret": "s"},
        status="applied",
        payment_id=payment.pk,
        received_at=NOW,
        handled_at=NOW,
    )
    Dispute.objects.create(
        payment=payment,
        gateway="sandbox-1",
        reference="dp_1",
        amount_minor=1000,
        currency="EUR",
        status="won",
        opened_at=NOW,
        closed_at=NOW + timedelta(days=1),
    )
    make_saga(notice.pk, "observe_payment")

    found = entries(shop, order_id)

    assert titles(found, "webhook") == ["charge.dispute.closed"]
    assert of(found, "webhook")[0]["status"] == "applied"
    assert titles(found, "dispute") == ["Dispute opened", "Dispute won"]
    assert "observe_payment began" in titles(found, "saga")
    assert "secret" not in str(found)


def make_saga(business_key: UUID, definition: str) -> Saga:
    return Saga.objects.create(
        definition=definition,
        version=1,
        business_key=business_key,
        due_at=NOW,
        deadline_at=NOW + timedelta(days=1),
        created_at=NOW,
    )


@CARRIED
def test_pages_neither_skip_nor_repeat(shop: Shop) -> None:
    order_id, _payment, _refund_id = refunded_order(shop)
    whole = entries(shop, order_id)

    for limit in (1, 2, 7):
        pages: list[Any] = []
        query = f"?limit={limit}"
        while True:
            page = read(shop, order_id, query).json()
            pages += page["data"]
            if page["next_cursor"] is None:
                break
            assert len(page["data"]) == limit
            query = f"?limit={limit}&cursor={page['next_cursor']}"
        assert pages == whole


def test_a_long_history_is_paged_through_though_a_page_reads_a_part_of_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timelines, "ROWS_MAX", 8)
    order_id = UUID(shop.order().json()["id"])
    payment = Payment.objects.get(order_id=order_id)
    saga = Saga.objects.get()
    for number in range(40):
        moment = NOW + timedelta(seconds=number // 3)
        SagaStep.objects.create(
            saga=saga,
            fence=1,
            step="authorize_payment",
            direction="do",
            attempt=number,
            outcome="indoubt",
            started_at=moment,
            finished_at=moment,
        )
        Operation.objects.create(
            payment=payment,
            kind="authorize",
            gateway="sandbox-1",
            key=str(new_id()),
            amount_minor=1,
            phase="settled",
            outcome="abandoned",
            created_at=moment,
            settled_at=NOW + timedelta(hours=1) - timedelta(seconds=number),
        )

    seen: list[Any] = []
    query = "?limit=4"
    while True:
        page = read(shop, order_id, query).json()
        seen += page["data"]
        if page["next_cursor"] is None:
            break
        query = f"?limit=4&cursor={page['next_cursor']}"

    assert [step["attempt"] for step in of(seen, "step")] == list(range(40))
    assert len(of(seen, "operation")) == 80
    assert [entry["at"] for entry in seen] == sorted(entry["at"] for entry in seen)


@CARRIED
def test_it_is_few_statements_however_much_happened(shop: Shop) -> None:
    small = UUID(shop.order().json()["id"])
    order = shop.order(
        order_body(payments=[{"method": "pm_card_visa", "amount": 100}] * 9 + [{"method": "pm_card_visa"}])
    ).json()
    carry_to_the_end([UUID(order["id"])], within_s=30)
    for payment in order["payments"]:
        shop.refund(payment["id"], {"amount": 1})
    read(shop, small)

    assert statements(shop, small) == STATEMENTS - 1  # it has no bookings whose entries were read
    assert statements(shop, UUID(order["id"])) == STATEMENTS


def statements(shop: Shop, order_id: UUID) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert read(shop, order_id, "?limit=100").status_code == 200
    return len([query for query in queries if "resilience_apikey" not in query["sql"]])


def test_another_clients_order_is_the_same_404_as_nobodys(shop: Shop) -> None:
    theirs = Shop(client="other").order().json()["id"]

    for order_id in (theirs, NOBODYS):
        assert_problem(read(shop, order_id), 404, "order_not_found")


def test_a_cursor_of_another_order_is_refused(shop: Shop) -> None:
    first, second = (shop.order().json()["id"] for _ in range(2))
    cursor = read(shop, first, "?limit=1").json()["next_cursor"]

    assert_problem(read(shop, second, f"?limit=1&cursor={cursor}"), 400, "invalid_cursor")


@CARRIED
def test_it_has_the_shape_that_the_document_describes(document: dict[str, Any], shop: Shop) -> None:
    order_id, _payment, _refund_id = refunded_order(shop)

    for query in ("?limit=100", "?limit=1"):
        assert_as_described(document, read(shop, order_id, query), "get", "orders/{order_id}/timeline")
    assert_as_described(
        document, shop.get(f"{ORDERS}/{NOBODYS}/timeline"), "get", "orders/{order_id}/timeline"
    )


@CARRIED
def test_reading_changes_nothing(shop: Shop) -> None:
    order_id, _payment, _refund_id = refunded_order(shop)
    before = list(Order.objects.values()), list(Saga.objects.values())

    read(shop, order_id)
    runner(lease_s=5.0).run(saga_ids([UUID(order_id)]))

    assert (list(Order.objects.values()), list(Saga.objects.values())) == before
