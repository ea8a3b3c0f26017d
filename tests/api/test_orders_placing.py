"""Placing an order: what is answered, what is written, and that it happens once per key."""

import re
import socket
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from orders.models import Order, OrderLine, Product
from payments.models import Payment
from resilience import clock, crashpoints
from resilience.apikeys.cache import known_keys
from resilience.crashpoints import Fault
from resilience.events.models import LoggedEvent
from resilience.saga.models import Saga
from tests.api.foundation import assert_problem
from tests.api.shop import EVERYTHING, IMPORTER, ORDERS, Shop, answers_stored, order_body, rows_written
from tests.orders_kit import PRICE_MINOR, SKU, stock
from tests.processes import wait_until

pytestmark = pytest.mark.django_db
TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{6})?Z")


@pytest.fixture(autouse=True)
def _catalogue() -> None:
    stock(10)


def money(amount: int, currency: str = "EUR") -> dict[str, Any]:
    return {"amount": amount, "currency": currency}


def test_an_order_is_answered_in_full(shop: Shop) -> None:
    stock(5, sku="CUP")

    answer = shop.order(
        order_body(
            customer={"reference": "Zoë 🚲", "email": "zoe@example.com"},
            lines=[{"sku": SKU, "quantity": 3}, {"sku": "CUP", "quantity": 1}],
            payments=[{"method": "pm_card_visa", "amount": 500}, {"method": "pm_card_mastercard"}],
            shipping=495,
            metadata={"note": "ring <twice> & 'wait'", "nested": {"list": [1, 2.5, None, True]}},
        )
    )

    body = answer.json()
    order = Order.objects.get()
    first, second = Payment.objects.order_by("position")
    assert body == {
        "id": str(order.id),
        "number": order.number,
        "status": "pending",
        "customer": {"reference": "Zoë 🚲", "email": "zoe@example.com"},
        "lines": [
            {"sku": SKU, "name": "Tea", "quantity": 3, "unit_price": money(1000), "total": money(3000)},
            {"sku": "CUP", "name": "Cup", "quantity": 1, "unit_price": money(1000), "total": money(1000)},
        ],
        "shipping": money(495),
        "total": money(4495),
        "payments": [
            {
                "id": str(first.id),
                "method": "pm_card_visa",
                "amount": money(500),
                "status": "pending",
                "captured": money(0),
                "refunded": money(0),
            },
            {
                "id": str(second.id),
                "method": "pm_card_mastercard",
                "amount": money(3995),
                "status": "pending",
                "captured": money(0),
                "refunded": money(0),
            },
        ],
        "metadata": {"note": "ring <twice> & 'wait'", "nested": {"list": [1, 2.5, None, True]}},
        "cancel_reason": None,
        "placed_at": body["placed_at"],
        "settled_at": None,
    }
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{ORDERS}/{order.id}"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Idempotency-Replayed" not in answer.headers
    assert "Preference-Applied" not in answer.headers
    assert TIME.fullmatch(body["placed_at"])
    assert [UUID(body["id"]).version, first.id.version, second.id.version] == [7, 7, 7]
    assert shop.get(answer.headers["Location"]).json() == body


def test_an_order_is_written_with_all_that_follows_from_it(shop: Shop) -> None:
    before = rows_written()

    answer = shop.order()

    after = rows_written()
    assert {table: after[table] - before[table] for table in after if after[table] != before[table]} == {
        "orders_order": 1,
        "orders_order_line": 1,
        "payments_payment": 1,
        "resilience_saga": 1,
        "resilience_event": 1,
    }
    assert answers_stored() == 1
    order_id = UUID(answer.json()["id"])
    assert Order.objects.values_list("client", "status", "total_minor").get(pk=order_id) == (
        "shop",
        "pending",
        PRICE_MINOR,
    )
    assert Saga.objects.values_list("definition", "status").get(business_key=order_id) == (
        "place_order",
        "running",
    )
    assert LoggedEvent.objects.values_list("type", "sequence").get(aggregateid=order_id) == (
        "order.placed",
        1,
    )


def test_an_order_is_accepted_without_asking_broker_or_gateway(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.order()  # whatever is opened once in a process is open now

    for name in ("connect", "connect_ex", "sendall"):
        monkeypatch.setattr(socket.socket, name, _refused_here(getattr(socket.socket, name)))

    assert shop.order().status_code == 201


def _refused_here(real: Any) -> Any:
    """Refuse on this thread, which is the request's; the pulse goes on beating on its own."""
    here = threading.get_ident()

    def call(*arguments: Any) -> Any:
        assert threading.get_ident() != here, "the request opened a connection"
        return real(*arguments)

    return call


def test_numbers_grow_and_ids_differ(shop: Shop) -> None:
    first, second = shop.order().json(), shop.order().json()

    assert second["number"] > first["number"]
    assert second["id"] > first["id"]


def test_a_line_keeps_the_price_and_name_of_its_moment(shop: Shop) -> None:
    location = shop.order().headers["Location"]
    Product.objects.update(price_minor=9999, name="Dear Tea")

    line = shop.get(location).json()["lines"][0]

    assert (line["name"], line["unit_price"]) == ("Tea", money(1000))


def test_one_product_may_stand_on_several_lines(shop: Shop) -> None:
    answer = shop.order(order_body(lines=[{"sku": SKU, "quantity": 1}, {"sku": SKU, "quantity": 2}]))

    assert [line["quantity"] for line in answer.json()["lines"]] == [1, 2]
    assert answer.json()["total"] == money(3000)


def test_a_currency_without_decimals_counts_in_whole_units(shop: Shop) -> None:
    Product.objects.update(price_minor=500, currency="JPY")

    answer = shop.order(
        order_body(currency="JPY", shipping=50, payments=[{"method": "pm_card_visa", "amount": 550}])
    )

    assert answer.status_code == 201
    assert answer.json()["total"] == money(550, "JPY")


class TestOnceForEachKey:
    def test_the_same_request_gets_the_stored_answer_and_writes_nothing(self, shop: Shop) -> None:
        first = shop.order(key="k")
        before = rows_written()
        Order.objects.update(status="confirmed")

        second = shop.order(key="k")

        assert (second.status_code, second.content) == (201, first.content)
        assert second.headers["Location"] == first.headers["Location"]
        assert second.headers["Idempotency-Replayed"] == "true"
        assert second.headers["Consistency-Token"]
        assert rows_written() == before
        assert answers_stored() == 1

    def test_another_body_under_the_key_is_a_422_and_writes_nothing(self, shop: Shop) -> None:
        shop.order(key="k")
        before = rows_written()

        answer = shop.order(order_body(shipping=1), key="k")

        assert_problem(answer, 422, "idempotency_key_reused")
        assert rows_written() == before

    def test_a_default_that_is_spelled_out_is_another_body(self, shop: Shop) -> None:
        shop.order(key="k")

        assert_problem(shop.order(order_body(shipping=0), key="k"), 422, "idempotency_key_reused")

    def test_a_final_refusal_is_stored_too(self, shop: Shop) -> None:
        body = order_body(lines=[{"sku": "LATER", "quantity": 1}])
        first = shop.order(body, key="k")
        stock(1, sku="LATER")

        second = shop.order(body, key="k")

        assert_problem(first, 422, "unknown_sku")
        assert second.content == first.content
        assert second.headers["Idempotency-Replayed"] == "true"
        assert Order.objects.count() == 0
        assert shop.order(body, key="k2").status_code == 201

    def test_a_refused_body_leaves_the_key_free(self, shop: Shop) -> None:
        assert_problem(shop.order(order_body(currency="XXX"), key="k"), 400, "validation_failed")

        answer = shop.order(key="k")

        assert answer.status_code == 201
        assert "Idempotency-Replayed" not in answer.headers

    def test_another_clients_key_is_another_key(self, shop: Shop) -> None:
        mine = shop.order(key="k")

        theirs = Shop(client="other").order(key="k")

        assert theirs.status_code == 201
        assert "Idempotency-Replayed" not in theirs.headers
        assert theirs.json()["id"] != mine.json()["id"]

    def test_a_preference_is_no_part_of_the_body(self, shop: Shop) -> None:
        first = shop.order(key="k")

        again = shop.order(key="k", prefer="wait=30")

        assert again.content == first.content
        assert again.headers["Idempotency-Replayed"] == "true"
        assert "Preference-Applied" not in again.headers


@pytest.mark.django_db(transaction=True)
def test_a_request_still_running_is_a_409_that_says_when_to_come_back() -> None:
    known_keys.forget_all()
    shop = Shop()
    crashpoints.arm("idempotency.before_commit", Fault.HANG, hang_s=1.0)
    answers: list[Any] = []

    def first() -> None:
        answers.append(shop.order(key="k"))
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    wait_until(lambda: not crashpoints.is_armed("idempotency.before_commit"))
    during = shop.order(key="k")
    other_body = shop.order(order_body(shipping=1), key="k")
    other_key = shop.order(key="k2")
    assert not answers, "the first request must still run for this test to say anything"
    thread.join(10)

    assert_problem(during, 409, "request_in_progress")
    assert during.headers["Retry-After"] == "1"
    assert_problem(other_body, 409, "request_in_progress")
    assert other_key.status_code == 201
    assert answers[0].status_code == 201
    assert shop.order(key="k").content == answers[0].content
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    ("payments", "amounts"),
    [
        ([None], [1000]),
        ([1000], [1000]),
        ([1, None], [1, 999]),
        ([None, 999], [1, 999]),
        ([300, None, 200], [300, 500, 200]),
        ([400, 600], [400, 600]),
        ([100] * 10, [100] * 10),
        ([1] * 9 + [None], [1] * 9 + [991]),
    ],
)
def test_a_split_tender_adds_up_to_the_total(
    shop: Shop, payments: list[int | None], amounts: list[int]
) -> None:
    answer = shop.order(order_body(payments=tenders(payments)))

    assert answer.status_code == 201
    assert [payment["amount"] for payment in answer.json()["payments"]] == [money(one) for one in amounts]
    stored = Payment.objects.order_by("position").values_list("amount_minor", flat=True)
    assert list(stored) == amounts


@pytest.mark.parametrize(
    "payments", [[999], [1001], [1000, None], [None, None], [500, 501], [500, 499], [1000, 1], [10**12, None]]
)
def test_payments_that_do_not_add_up_are_refused(shop: Shop, payments: list[int | None]) -> None:
    before = rows_written()

    answer = shop.order(order_body(payments=tenders(payments)))

    assert_problem(answer, 422, "payments_do_not_add_up")
    assert rows_written() == before


def tenders(amounts: list[int | None]) -> list[dict[str, Any]]:
    return [
        {"method": "pm_card_visa"} if amount is None else {"method": "pm_card_visa", "amount": amount}
        for amount in amounts
    ]


class TestImporting:
    """Prices and times of the client's own: only for keys that may import."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"lines": [{"sku": SKU, "quantity": 1, "unit_price": 1}]},
            {"lines": [{"sku": SKU, "quantity": 1}, {"sku": SKU, "quantity": 1, "unit_price": 1000}]},
            {"placed_at": "2020-01-01T00:00:00Z"},
        ],
    )
    @pytest.mark.parametrize("permissions", [("orders.write",), ("orders.write", "catalogue.write")])
    def test_without_the_permission_they_are_a_403(
        self, changes: dict[str, Any], permissions: tuple[str, ...]
    ) -> None:
        before = rows_written()

        answer = Shop(permissions=permissions).order(order_body(**changes))

        assert "orders.import" in assert_problem(answer, 403, "permission_denied")["detail"]
        assert (rows_written(), answers_stored()) == (before, 0)

    def test_with_it_they_are_honoured(self) -> None:
        importer = Shop(permissions=IMPORTER)

        answer = importer.order(
            order_body(
                lines=[{"sku": SKU, "quantity": 2, "unit_price": 7}, {"sku": SKU, "quantity": 1}],
                placed_at="2020-02-29T23:30:00.5-01:00",
            )
        )

        body = answer.json()
        assert answer.status_code == 201
        assert [line["unit_price"] for line in body["lines"]] == [money(7), money(1000)]
        assert body["total"] == money(1014)
        assert body["placed_at"] == "2020-03-01T00:30:00.500000Z"
        assert importer.get(answer.headers["Location"]).json() == body

    def test_a_line_for_nothing_is_fine_beside_one_that_costs(self) -> None:
        lines = [{"sku": SKU, "quantity": 1, "unit_price": 0}, {"sku": SKU, "quantity": 1}]

        assert Shop(permissions=IMPORTER).order(order_body(lines=lines)).json()["total"] == money(1000)

    def test_an_order_cannot_have_been_placed_in_the_future(self) -> None:
        before = rows_written()
        tomorrow = (clock.now() + timedelta(days=1)).isoformat()

        answer = Shop(permissions=EVERYTHING).order(order_body(placed_at=tomorrow))

        [error] = assert_problem(answer, 400, "validation_failed")["errors"]
        assert error["field"] == "/placed_at"
        assert rows_written() == before

    def test_importing_alone_places_nothing(self) -> None:
        assert_problem(Shop(permissions=("orders.import",)).order(), 403, "permission_denied")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lines": [{"sku": "NONE", "quantity": 1}]}, "unknown_sku"),
        ({"lines": [{"sku": SKU, "quantity": 1}, {"sku": "NONE", "quantity": 1}]}, "unknown_sku"),
        ({"currency": "USD"}, "currency_mismatch"),
        ({"shipping": 99_999_000}, "total_too_large"),
        ({"lines": [{"sku": SKU, "quantity": 1_000_000}] * 100}, "total_too_large"),
        ({"lines": [{"sku": "FREE", "quantity": 1}]}, "nothing_to_pay"),
    ],
)
def test_what_the_business_refuses_is_a_422_and_writes_nothing(
    shop: Shop, changes: dict[str, Any], code: str
) -> None:
    stock(10, sku="FREE")
    Product.objects.filter(sku="FREE").update(price_minor=0)
    before = rows_written()

    assert_problem(shop.order(order_body(**changes)), 422, code)

    assert rows_written() == before


def test_the_largest_order_is_taken(shop: Shop) -> None:
    lines = [{"sku": SKU, "quantity": 1}] * 100

    answer = shop.order(order_body(lines=lines, shipping=99_999_999 - 100 * PRICE_MINOR))

    assert answer.status_code == 201
    assert answer.json()["total"] == money(99_999_999)
    assert OrderLine.objects.count() == 100
