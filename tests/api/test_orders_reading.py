"""Reading orders back: one, lists with filters and cursors, and never another client's."""

from typing import Any

import pytest
from django.utils.http import urlencode

from orders.models import Order
from resilience.routing.tokens import NEVER_REPLAYED
from tests.api.foundation import assert_problem
from tests.api.shop import IMPORTER, ORDERS, Shop, order_body
from tests.orders_kit import stock

pytestmark = pytest.mark.django_db
NOBODYS = "01890000-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
def _catalogue() -> None:
    stock(10)


def placed(shop: Shop, count: int) -> list[str]:
    """Place some orders and return their ids, newest first."""
    return [shop.order().json()["id"] for _order in range(count)][::-1]


def listed(shop: Shop, **parameters: object) -> list[str]:
    answer = shop.get(f"{ORDERS}?{urlencode(parameters)}")
    assert answer.status_code == 200, answer.content
    return [order["id"] for order in answer.json()["data"]]


class TestOne:
    def test_it_reads_as_it_was_placed(self, shop: Shop) -> None:
        first = shop.order()

        again = shop.get(first.headers["Location"])

        assert (again.status_code, again.json()) == (200, first.json())
        assert again.headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize("suffix", ["", "/cancel"])
    def test_another_clients_order_is_the_same_404_as_nobodys(self, shop: Shop, suffix: str) -> None:
        [theirs] = placed(Shop(client="other"), 1)
        ask = shop.get if not suffix else lambda path: shop.post(path, b"")

        answers = {order_id: ask(f"{ORDERS}/{order_id}{suffix}") for order_id in (theirs, NOBODYS)}

        documents = [
            {name: str(value).replace(order_id, "ID") for name, value in problem.items()}
            for order_id, answer in answers.items()
            for problem in [assert_problem(answer, 404, "order_not_found")]
        ]
        assert documents[0] == documents[1]
        assert Order.objects.get().status == "pending"

    def test_another_key_of_the_same_client_reads_it(self, shop: Shop) -> None:
        [order_id] = placed(shop, 1)

        assert Shop(permissions=("orders.read",)).get(f"{ORDERS}/{order_id}").status_code == 200

    @pytest.mark.parametrize(
        "token", ["x", "", "1-0/0", "é".encode().decode("latin-1"), "1-FFFFFFFF/FFFFFFFF"]
    )
    def test_no_consistency_token_is_an_error(self, shop: Shop, token: str) -> None:
        [order_id] = placed(shop, 1)

        assert shop.get(f"{ORDERS}/{order_id}", consistency_token=token).status_code == 200


class TestList:
    def test_it_shows_whole_orders_newest_first(self, shop: Shop) -> None:
        documents = [shop.order().json() for _order in range(3)]

        answer = shop.get(ORDERS)

        assert answer.json() == {"data": documents[::-1], "next_cursor": None}

    def test_it_shows_nobody_elses(self, shop: Shop) -> None:
        placed(Shop(client="other"), 2)
        mine = placed(shop, 1)

        assert listed(shop) == mine

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 100])
    def test_pages_show_each_order_once(self, shop: Shop, limit: int) -> None:
        ids = placed(shop, 5)
        seen: list[list[str]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = shop.get(f"{ORDERS}?limit={limit}" + (f"&cursor={cursor}" if cursor else "")).json()
            seen.append([order["id"] for order in answer["data"]])
            cursor = answer["next_cursor"]

        assert [order_id for page in seen for order_id in page] == ids
        assert all(len(page) == limit for page in seen[:-1])
        assert seen[-1]

    def test_an_order_placed_meanwhile_moves_no_page(self, shop: Shop) -> None:
        ids = placed(shop, 4)
        cursor = shop.get(f"{ORDERS}?limit=2").json()["next_cursor"]
        placed(shop, 2)

        assert listed(shop, limit=2, cursor=cursor) == ids[2:]

    def test_twenty_are_shown_unless_told(self, shop: Shop) -> None:
        placed(shop, 21)

        answer = shop.get(ORDERS).json()

        assert len(answer["data"]) == 20
        assert answer["next_cursor"]

    def test_it_takes_as_many_statements_for_many_as_for_one(
        self, shop: Shop, django_assert_max_num_queries: Any
    ) -> None:
        placed(shop, 5)

        with django_assert_max_num_queries(4):  # key, orders, lines, payments
            assert len(listed(shop)) == 5


class TestFilters:
    @pytest.fixture
    def history(self) -> dict[str, str]:
        """Four orders of one importer: by customer and year; the last is confirmed."""
        importer = Shop(permissions=IMPORTER)
        ids = {
            f"{customer}-{year}": importer.order(
                order_body(customer={"reference": customer}, placed_at=f"{year}-01-01T00:00:00Z")
            ).json()["id"]
            for customer in ("ann", "bob")
            for year in (2020, 2021)
        }
        Order.objects.filter(pk=ids["bob-2021"]).update(status="confirmed")
        return ids

    @pytest.mark.parametrize(
        ("parameters", "found"),
        [
            ({"status": "pending"}, ["bob-2020", "ann-2021", "ann-2020"]),
            ({"status": "confirmed"}, ["bob-2021"]),
            ({"status": "cancelled"}, []),
            ({"customer": "ann"}, ["ann-2021", "ann-2020"]),
            ({"customer": "a%"}, []),
            ({"customer": "ANN"}, []),
            ({"customer": "' OR 1=1 --"}, []),
            ({"placed_after": "2021-01-01T00:00:00Z"}, ["bob-2021", "ann-2021"]),
            ({"placed_before": "2021-01-01T00:00:00Z"}, ["bob-2020", "ann-2020"]),
            ({"placed_before": "2021-01-01T01:00:00+01:00"}, ["bob-2020", "ann-2020"]),
            ({"placed_after": "2020-12-31T23:59:59.999999Z", "customer": "bob"}, ["bob-2021"]),
            ({"placed_after": "2021-01-01T00:00:00Z", "placed_before": "2021-01-01T00:00:00Z"}, []),
            ({"status": "pending", "customer": "bob", "limit": "1"}, ["bob-2020"]),
        ],
    )
    def test_they_narrow_the_list(
        self, shop: Shop, history: dict[str, str], parameters: dict[str, str], found: list[str]
    ) -> None:
        assert listed(shop, **parameters) == [history[name] for name in found]

    def test_they_hold_on_every_page(self, shop: Shop, history: dict[str, str]) -> None:
        first = shop.get(f"{ORDERS}?customer=ann&limit=1").json()

        second = listed(shop, customer="ann", limit=1, cursor=first["next_cursor"])

        assert [first["data"][0]["id"], *second] == [history["ann-2021"], history["ann-2020"]]


class TestCursors:
    @pytest.fixture
    def cursor(self, shop: Shop) -> str:
        placed(shop, 2)
        given: str = shop.get(f"{ORDERS}?limit=1").json()["next_cursor"]
        return given

    def test_one_that_was_changed_is_a_400(self, shop: Shop, cursor: str) -> None:
        changed = [
            cursor[:-1] + ("A" if cursor[-1] != "A" else "B"),
            ("A" if cursor[0] != "A" else "B") + cursor[1:],
            cursor[: cursor.index(".")],
            cursor[cursor.index(".") :],
            cursor.replace(".", ":"),
            cursor + "x",
            cursor.swapcase(),
        ]

        for one in changed:
            answer = shop.get(f"{ORDERS}?{urlencode({'cursor': one})}")
            [error] = assert_problem(answer, 400, "invalid_cursor")["errors"]
            assert error["field"] == "cursor"

    def test_another_clients_is_a_400(self, cursor: str) -> None:
        other = Shop(client="other")
        placed(other, 2)

        assert_problem(other.get(f"{ORDERS}?cursor={cursor}"), 400, "invalid_cursor")

    def test_another_lists_is_a_400(self, shop: Shop) -> None:
        stock(1, sku="CUP")
        products = shop.get("/api/v1/products?limit=1").json()["next_cursor"]

        assert_problem(shop.get(f"{ORDERS}?cursor={products}"), 400, "invalid_cursor")

    def test_it_says_nothing_about_other_clients_ids(self, cursor: str) -> None:
        assert cursor.isascii()
        assert len(cursor) < 128


def test_each_write_gives_a_token_that_reads_can_show(shop: Shop) -> None:
    token = shop.order().headers["Consistency-Token"]

    answer = shop.get(ORDERS, consistency_token=token)

    assert token != str(NEVER_REPLAYED)
    assert len(answer.json()["data"]) == 1
    assert answer.headers["Consistency-Token"] == token


@pytest.mark.django_db(transaction=True, databases=["default", "replica"])
def test_whoever_shows_the_token_of_a_write_reads_it_at_once() -> None:
    shop = Shop()

    for _round in range(10):
        answer = shop.order()
        read = shop.get(answer.headers["Location"], consistency_token=answer.headers["Consistency-Token"])
        assert (read.status_code, read.json()["id"]) == (200, answer.json()["id"])
        cancelled = shop.post(f"{answer.headers['Location']}/cancel", b"")
        Order.objects.filter(pk=answer.json()["id"]).update(status="cancelled")
        done = shop.post(f"{answer.headers['Location']}/cancel", b"")
        read = shop.get(answer.headers["Location"], consistency_token=done.headers["Consistency-Token"])
        assert (cancelled.status_code, done.status_code) == (202, 200)
        assert read.json()["status"] == "cancelled"


@pytest.mark.django_db(transaction=True, databases=["default", "replica"])
def test_a_new_order_is_found_without_a_token_too() -> None:
    shop = Shop()

    for _round in range(10):
        assert shop.get(shop.order().headers["Location"]).status_code == 200
