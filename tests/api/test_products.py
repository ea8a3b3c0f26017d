"""The catalogue: read by storefronts, with ETags; written by those who may."""

from typing import Any
from urllib.parse import quote

import pytest

from orders.models import Product
from tests.api.foundation import assert_problem
from tests.api.shop import EVERYTHING, ORDERS, PRODUCTS, Shop, answers_stored, order_body
from tests.orders_kit import SKU, stock

pytestmark = pytest.mark.django_db
TEA = {
    "sku": SKU,
    "name": "Tea",
    "price": {"amount": 1000, "currency": "EUR"},
    "stock": {"on_hand": 10, "reserved": 0, "available": 10},
}
CUP = {"name": "Cup", "price": {"amount": 250, "currency": "USD"}}


@pytest.fixture
def keeper(shop: Shop) -> Shop:
    """Somebody who keeps the catalogue."""
    return Shop(permissions=EVERYTHING)


class TestReading:
    def test_a_product_is_shown_with_its_stock(self, shop: Shop) -> None:
        stock(10)
        Product.objects.update(reserved=3)

        answer = shop.get(f"{PRODUCTS}/{SKU}")

        assert answer.status_code == 200
        assert answer.json() == {**TEA, "stock": {"on_hand": 10, "reserved": 3, "available": 7}}

    @pytest.mark.parametrize("sku", ["NONE", "x" * 5000, "tea", "'", "TEA ", "%", "4b.é", "日本", "🚲"])
    def test_an_unknown_one_is_a_404(self, shop: Shop, sku: str) -> None:
        stock(10)

        assert_problem(shop.get(f"{PRODUCTS}/{quote(sku)}"), 404, "product_not_found")

    def test_the_list_goes_by_sku_in_pages(self, shop: Shop) -> None:
        for sku in ("B", "a", "C", "A", "b"):
            stock(1, sku=sku)
        seen: list[list[str]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = shop.get(f"{PRODUCTS}?limit=2" + (f"&cursor={cursor}" if cursor else "")).json()
            seen.append([product["sku"] for product in answer["data"]])
            cursor = answer["next_cursor"]

        assert [len(page) for page in seen] == [2, 2, 1]
        assert sorted(sku for page in seen for sku in page) == ["A", "B", "C", "a", "b"]

    def test_an_empty_catalogue_is_an_empty_list(self, shop: Shop) -> None:
        assert shop.get(PRODUCTS).json() == {"data": [], "next_cursor": None}

    def test_every_client_sees_the_same(self, shop: Shop) -> None:
        stock(10)

        assert (
            shop.get(PRODUCTS).json()
            == Shop(client="other").get(PRODUCTS).json()
            == {
                "data": [TEA],
                "next_cursor": None,
            }
        )


@pytest.mark.parametrize("path", [PRODUCTS, f"{PRODUCTS}/{SKU}"])
class TestETags:
    def test_what_has_not_changed_is_not_sent_again(self, shop: Shop, path: str) -> None:
        stock(10)
        first = shop.get(path)

        again = shop.get(path, if_none_match=first.headers["ETag"])

        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert shop.get(path, if_none_match=f'"other", {first.headers["ETag"]}').status_code == 304
        assert shop.get(path, if_none_match="*").status_code == 304

    def test_what_has_changed_is(self, shop: Shop, path: str) -> None:
        stock(10)
        etag = shop.get(path).headers["ETag"]
        Product.objects.update(reserved=1)

        again = shop.get(path, if_none_match=etag)

        assert again.status_code == 200
        assert again.headers["ETag"] != etag

    @pytest.mark.parametrize("header", ["x", '"', "", 'W/"', "\x7f", "é".encode().decode("latin-1")])
    def test_a_tag_that_is_none_is_no_error(self, shop: Shop, path: str, header: str) -> None:
        stock(10)

        assert shop.get(path, if_none_match=header).status_code == 200

    def test_a_client_may_keep_the_answer_and_has_to_ask(self, shop: Shop, path: str) -> None:
        stock(10)

        assert shop.get(path).headers["Cache-Control"] == "private, no-cache"

    def test_it_opens_nothing_without_a_key(self, shop: Shop, path: str) -> None:
        stock(10)
        etag = shop.get(path).headers["ETag"]

        answer = Shop(permissions=()).get(path, if_none_match=etag)

        assert_problem(answer, 403, "permission_denied")


class TestPutting:
    def test_a_new_product_is_a_201_without_stock(self, keeper: Shop) -> None:
        answer = keeper.put(f"{PRODUCTS}/CUP", CUP)

        assert answer.status_code == 201
        assert answer.json() == {
            "sku": "CUP",
            **CUP,
            "stock": {"on_hand": 0, "reserved": 0, "available": 0},
        }
        assert answer.headers["Consistency-Token"]
        assert keeper.get(f"{PRODUCTS}/CUP").json() == answer.json()

    def test_a_known_one_is_a_200_and_keeps_its_stock(self, keeper: Shop) -> None:
        stock(10)

        answer = keeper.put(f"{PRODUCTS}/{SKU}", CUP)

        assert answer.status_code == 200
        assert answer.json() == {"sku": SKU, **CUP, "stock": TEA["stock"]}
        assert Product.objects.count() == 1

    def test_again_is_no_harm(self, keeper: Shop) -> None:
        first, second = (keeper.put(f"{PRODUCTS}/CUP", CUP) for _time in range(2))

        assert (first.status_code, second.status_code) == (201, 200)
        assert first.json() == second.json()

    @pytest.mark.parametrize("sku", ["A", "a" * 64, "1.0", "a:b_c-d", "4006381333931"])
    def test_what_is_put_can_be_ordered(self, keeper: Shop, sku: str) -> None:
        assert keeper.put(f"{PRODUCTS}/{sku}", TEA_REQUEST).status_code == 201

        assert keeper.order(order_body(lines=[{"sku": sku, "quantity": 1}])).status_code == 201

    @pytest.mark.parametrize(
        "sku", ["a" * 65, "-a", ".", "..", "a b", "é", "日本", "a%b", "a,b", "a\n", "a;b"]
    )
    def test_what_is_no_sku_is_not_put(self, keeper: Shop, sku: str) -> None:
        answer = keeper.put(f"{PRODUCTS}/{quote(sku)}", CUP)

        [error] = assert_problem(answer, 400, "validation_failed")["errors"]
        assert error["field"] == "sku"
        assert Product.objects.count() == 0

    def test_a_card_number_is_no_sku_since_no_order_may_hold_it(self, keeper: Shop) -> None:
        answer = keeper.put(f"{PRODUCTS}/4242424242424242", CUP)

        assert_problem(answer, 400, "card_number_refused")
        assert Product.objects.count() == 0


TEA_REQUEST = {"name": "Tea", "price": TEA["price"]}


class TestCounting:
    def test_pieces_come_in_and_go_out(self, keeper: Shop) -> None:
        stock(10)

        into = keeper.post(f"{PRODUCTS}/{SKU}/stock", {"adjust": 5}, idempotency_key="in")
        out = keeper.post(f"{PRODUCTS}/{SKU}/stock", {"adjust": -15}, idempotency_key="out")

        assert (into.status_code, into.json()) == (200, {**TEA, "stock": counted(15)})
        assert (out.status_code, out.json()) == (200, {**TEA, "stock": counted(0)})

    def test_a_count_sent_again_counts_once(self, keeper: Shop) -> None:
        stock(10)

        first, second = (
            keeper.post(f"{PRODUCTS}/{SKU}/stock", {"adjust": 5}, idempotency_key="k") for _time in range(2)
        )

        assert second.content == first.content
        assert second.headers["Idempotency-Replayed"] == "true"
        assert Product.objects.get().on_hand == 15

    @pytest.mark.parametrize("adjust", [-8, -11, -1_000_000_000])
    def test_what_orders_hold_stays(self, keeper: Shop, adjust: int) -> None:
        stock(10)
        Product.objects.update(reserved=3)

        answer = keeper.post(f"{PRODUCTS}/{SKU}/stock", {"adjust": adjust}, idempotency_key="k")

        assert_problem(answer, 409, "stock_below_reserved")
        assert Product.objects.values_list("on_hand", "reserved").get() == (10, 3)

    def test_an_unknown_product_is_a_404(self, keeper: Shop) -> None:
        answer = keeper.post(f"{PRODUCTS}/NONE/stock", {"adjust": 1}, idempotency_key="k")

        assert_problem(answer, 404, "product_not_found")

    def test_it_needs_a_key(self, keeper: Shop) -> None:
        stock(10)

        assert_problem(keeper.post(f"{PRODUCTS}/{SKU}/stock", {"adjust": 1}), 400, "idempotency_key_missing")
        assert Product.objects.get().on_hand == 10
        assert answers_stored() == 0


def counted(on_hand: int) -> dict[str, Any]:
    return {"on_hand": on_hand, "reserved": 0, "available": on_hand}


def test_an_order_is_no_product(shop: Shop) -> None:
    assert_problem(shop.get(f"{ORDERS}/{SKU}"), 404, "not_found")
