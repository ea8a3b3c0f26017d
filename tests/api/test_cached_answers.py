"""Answers from the cache: nobody else's, not older than one's own write, and to nobody who may not ask."""

import itertools
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import unquote

import psycopg
import pytest
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rest_framework.throttling import BaseThrottle

from config.stack.servers import Addresses
from orders.api.views import OrderView
from orders.caches import ORDERS, PRODUCTS
from orders.models import Order, Product
from orders.subscriptions import CACHE
from resilience import caching, clock
from resilience.apikeys.cache import known_keys
from resilience.apikeys.keys import limit_key, revoke_key
from resilience.caching.errors import CacheAwayError
from resilience.events import lag, run_once
from resilience.flags.testing import held
from resilience.rest.flags import EARLY_ANSWERS
from resilience.routing import database_for_reads, replica_reads
from resilience.routing.tokens import NEVER_REPLAYED
from tests.api.foundation import assert_problem
from tests.api.shop import EVERYTHING, Shop
from tests.api.shop import ORDERS as ORDERS_PATH
from tests.api.shop import PRODUCTS as PRODUCTS_PATH
from tests.caching_kit import in_threads
from tests.conftest import SandboxClient
from tests.events_kit import run_until_idle
from tests.orders_kit import SKU, carry_to_the_end, place, stock
from tests.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
TEA = f"{PRODUCTS_PATH}/{SKU}"


@pytest.fixture(autouse=True)
def _met() -> None:
    known_keys.forget_all()
    stock(10)
    run_until_idle(CACHE)
    wait_until(caching.contact().look)


@pytest.fixture
def shop() -> Shop:
    return Shop(permissions=EVERYTHING)


def settled(shop: Shop) -> str:
    """Place an order, and say that it is over."""
    order_id: str = shop.order().json()["id"]
    Order.objects.filter(pk=order_id).update(status="cancelled", settled_at=clock.now())
    return order_id


def rename(name: str) -> None:
    """Change the product past every entrance, so that nobody is told."""
    Product.objects.filter(pk=SKU).update(name=name)


@pytest.mark.parametrize("on", [True, False])
def test_both_sides_of_early_answers_say_the_same(shop: Shop, on: bool, monkeypatch: Any) -> None:
    woken: list[str] = []
    get = OrderView.get
    monkeypatch.setattr(
        OrderView, "get", lambda view, request, **kw: (woken.append("x"), get(view, request, **kw))[1]
    )
    path = f"{ORDERS_PATH}/{settled(shop)}"
    first = shop.get(path)
    woken.clear()

    with held(EARLY_ANSWERS, on=on):
        again = shop.get(path)

    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["ETag"] == first.headers["ETag"]
    assert woken == ([] if on else ["x"])


class TestHits:
    @pytest.mark.parametrize("path", [TEA, f"{PRODUCTS_PATH}?limit=5", PRODUCTS_PATH])
    def test_a_product_is_read_once(self, shop: Shop, path: str, django_assert_num_queries: Any) -> None:
        first = shop.get(path)

        with django_assert_num_queries(0):
            again = shop.get(path)

        assert again.status_code == 200
        assert (again.content, again.headers["ETag"]) == (first.content, first.headers["ETag"])

    def test_an_order_is_read_once(self, shop: Shop, django_assert_num_queries: Any) -> None:
        path = f"{ORDERS_PATH}/{settled(shop)}"
        first = shop.get(path)

        with django_assert_num_queries(0):
            again = shop.get(path)
            unchanged = shop.get(path, if_none_match=first.headers["ETag"])

        assert (again.status_code, again.content) == (200, first.content)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert again.headers["Cache-Control"] == "private, no-cache"
        assert again.headers["Content-Type"] == "application/json"

    def test_an_order_that_moves_is_read_each_time(self, shop: Shop) -> None:
        order_id = shop.order().json()["id"]
        for status in ("pending", "requires_action", "pending", "confirmed"):
            Order.objects.filter(pk=order_id).update(status=status)

            assert shop.get(f"{ORDERS_PATH}/{order_id}").json()["status"] == status

    def test_many_readers_at_once_get_one_answer(self, shop: Shop) -> None:
        answers = in_threads(8, lambda _number: Shop.get(shop, TEA).content)

        assert len(set(map(bytes, answers))) == 1  # type: ignore[arg-type]

    def test_an_unknown_product_is_asked_for_once(self, shop: Shop, django_assert_num_queries: Any) -> None:
        assert_problem(shop.get(f"{PRODUCTS_PATH}/NONE"), 404, "product_not_found")

        with django_assert_num_queries(0):
            assert_problem(shop.get(f"{PRODUCTS_PATH}/NONE"), 404, "product_not_found")

    def test_without_redis_the_answer_is_the_same(self, shop: Shop) -> None:
        order = f"{ORDERS_PATH}/{settled(shop)}"
        with_redis = [shop.get(path).content for path in (order, TEA, PRODUCTS_PATH)]
        caching.contact()._look_at = float("inf")
        caching.contact().lose("the test says so")

        assert [shop.get(path).content for path in (order, TEA, PRODUCTS_PATH)] == with_redis


class TestWhose:
    def test_no_client_gets_anothers_order_whatever_was_asked_before(self) -> None:
        shops = [Shop(client=name) for name in ("a", "b", "a-b")]
        orders = {shop.key.client: settled(shop) for shop in shops}

        for _round in range(2):
            for shop, (owner, order_id) in itertools.product(shops, orders.items()):
                answer = shop.get(f"{ORDERS_PATH}/{order_id}")
                if shop.key.client == owner:
                    assert answer.json()["id"] == order_id
                else:
                    assert_problem(answer, 404, "order_not_found")

    def test_a_page_of_the_catalogue_carries_no_ones_cursor_to_another(self) -> None:
        stock(1, sku="CUP")
        one, other = Shop(client="one"), Shop(client="other")
        cursors = [shop.get(f"{PRODUCTS_PATH}?limit=1").json()["next_cursor"] for shop in (one, other)]

        assert cursors[0] != cursors[1]
        assert other.get(f"{PRODUCTS_PATH}?limit=1&cursor={cursors[1]}").status_code == 200
        assert_problem(other.get(f"{PRODUCTS_PATH}?limit=1&cursor={cursors[0]}"), 400, "invalid_cursor")

    def test_an_order_is_no_ones_before_it_is_placed(self, shop: Shop) -> None:
        order_id = settled(shop)
        row = Order.objects.get(pk=order_id)
        Order.objects.filter(pk=order_id).update(client="somebody")
        assert shop.get(f"{ORDERS_PATH}/{order_id}").status_code == 404

        Order.objects.filter(pk=order_id).update(client=row.client)

        assert shop.get(f"{ORDERS_PATH}/{order_id}").status_code == 200


class TestOwnWrites:
    def test_who_shows_their_token_reads_what_they_wrote(self, shop: Shop) -> None:
        shop.get(TEA)
        written = shop.put(TEA, {"name": "Green tea", "price": {"amount": 1, "currency": "EUR"}})
        token = written.headers["Consistency-Token"]

        # Nobody has voided anything yet.
        assert shop.get(TEA).json()["name"] == "Tea"
        assert shop.get(TEA, consistency_token=token).json()["name"] == "Green tea"
        assert shop.get(TEA).json()["name"] == "Green tea"

    def test_a_page_too(self, shop: Shop) -> None:
        shop.get(PRODUCTS_PATH)
        written = shop.put(TEA, {"name": "Green tea", "price": {"amount": 1, "currency": "EUR"}})

        page = shop.get(PRODUCTS_PATH, consistency_token=written.headers["Consistency-Token"]).json()

        assert page["data"][0]["name"] == "Green tea"

    @pytest.mark.parametrize("token", ["x", "", str(NEVER_REPLAYED)])
    def test_a_token_that_only_the_primary_satisfies_is_answered_by_it(self, shop: Shop, token: str) -> None:
        shop.get(TEA)
        rename("Green tea")

        assert shop.get(TEA, consistency_token=token).json()["name"] == "Green tea"

    def test_a_token_that_was_made_up_vouches_for_nothing(self, shop: Shop) -> None:
        """Somebody shows a token from the future: what is then stored must not pass as that new."""
        future = "1-7FFFFFFF/0"
        assert shop.get(TEA, consistency_token=future).status_code == 200
        written = shop.put(TEA, {"name": "Green tea", "price": {"amount": 1, "currency": "EUR"}})

        answer = shop.get(TEA, consistency_token=written.headers["Consistency-Token"])

        assert answer.json()["name"] == "Green tea"


class TestVoiding:
    def test_a_change_of_a_product_is_told(self, shop: Shop) -> None:
        shop.get(TEA)
        shop.put(TEA, {"name": "Green tea", "price": {"amount": 1, "currency": "EUR"}})

        run_until_idle(CACHE)

        assert shop.get(TEA).json()["name"] == "Green tea"

    def test_the_end_of_an_order_is_told(self, sandbox: SandboxClient) -> None:
        tester = Shop(client="tester")
        order_id = place()
        path = f"{ORDERS_PATH}/{order_id}"
        assert tester.get(path).json()["status"] == "pending"
        carry_to_the_end([order_id], within_s=30)

        run_until_idle(CACHE)

        seen = tester.get(path).json()
        assert (seen["status"], seen["payments"][0]["status"]) == ("confirmed", "captured")

    def test_what_is_read_anew_is_not_older_than_the_voiding(self, shop: Shop, paused_replica: None) -> None:
        """The replica answers, but knows nothing of the change: then the primary is read."""
        shop.put(TEA, {"name": "Green tea", "price": {"amount": 1, "currency": "EUR"}})
        run_until_idle(CACHE)

        assert shop.get(TEA).json()["name"] == "Green tea"

    def test_while_redis_is_away_the_subscription_waits(self, shop: Shop, monkeypatch: Any) -> None:
        def away(*_arguments: object, **_named: object) -> None:
            raise CacheAwayError("the test says so")

        shop.get(TEA)
        shop.put(TEA, {"name": "Green tea", "price": {"amount": 1, "currency": "EUR"}})
        with monkeypatch.context() as broken:
            broken.setattr(caching.contact().store, "void", away)
            assert run_once(CACHE).failed == 1
            assert lag(CACHE).events == 1

        wait_until(lambda: run_once(CACHE).handled == 1)
        assert shop.get(TEA).json()["name"] == "Green tea"


class _NoMore(BaseThrottle):
    def allow_request(self, request: Any, view: Any) -> bool:
        return request.user.client != "greedy"

    def wait(self) -> float:
        return 7.0


class TestDoors:
    """Answering early opens no door that the view keeps shut."""

    @pytest.fixture
    def path(self) -> str:
        order_id = settled(Shop(client="greedy"))
        path = f"{ORDERS_PATH}/{order_id}"
        assert Shop(client="greedy").get(path).status_code == 200
        return path

    def test_without_a_key(self, path: str) -> None:
        assert_problem(Client().get(path), 401, "not_authenticated")

    @pytest.mark.parametrize(
        "header", ["Bearer hf_x", "Basic eDp5", "Bearer hf_" + "0" * 12 + "_" + "0" * 64]
    )
    def test_with_a_wrong_key(self, path: str, header: str) -> None:
        assert_problem(Client().get(path, headers={"Authorization": header}), 401, "api_key_invalid")

    def test_with_a_key_that_is_revoked(self, path: str) -> None:
        shop = Shop(client="greedy")
        revoke_key(prefix=shop.key.prefix, now=clock.now())
        known_keys.forget_all()

        assert_problem(shop.get(path), 401, "api_key_invalid")

    def test_without_the_permission(self, path: str) -> None:
        shop = Shop(client="greedy", permissions=("payments.read",))

        assert_problem(shop.get(path), 403, "permission_denied")

    def test_with_the_key_in_the_address(self, path: str) -> None:
        shop = Shop(client="greedy")

        assert_problem(shop.get(f"{path}?api_key={shop.plaintext}"), 400, "api_key_in_url")

    def test_above_the_throttle(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(OrderView, "throttle_classes", [_NoMore])

        answer = Shop(client="greedy").get(path)

        assert_problem(answer, 429, "throttled")
        assert answer.headers["Retry-After"] == "7"

    def test_above_the_key_s_own_limit(self, path: str) -> None:
        shop = Shop(client="greedy")
        limit_key(prefix=shop.key.prefix, rate_per_s=0.01, burst=2)
        known_keys.forget_all()

        answers = [shop.get(path) for _request in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert_problem(answers[2], 429, "throttled")
        assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == ["r=1", "r=0", "r=0"]

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    def test_with_another_method(self, path: str, method: str) -> None:
        assert_problem(Shop(client="greedy").send(method, path), 405, "method_not_allowed")

    def test_a_head_is_a_get_without_its_body(self, path: str) -> None:
        shop = Shop(client="greedy")
        got, asked = shop.get(path), shop.send("HEAD", path)

        assert (asked.status_code, asked.content) == (200, b"")
        assert asked.headers["ETag"] == got.headers["ETag"]


class TestKeys:
    @given(st.lists(st.text(), min_size=2, max_size=2), st.lists(st.text(), min_size=2, max_size=2))
    def test_no_two_have_one_key(self, one: list[str], other: list[str]) -> None:
        assert (ORDERS.key(*one) == ORDERS.key(*other)) == (one == other)

    @given(st.text())
    def test_a_key_has_no_character_that_means_something_to_redis(self, sku: str) -> None:
        key = PRODUCTS.key(sku)

        assert key.isascii()
        assert key.isprintable()
        assert unquote(key) == sku

    def test_too_few_parts_are_refused(self) -> None:
        with pytest.raises(ValueError, match="client, order id"):
            ORDERS.key("client")


class TestDeclared:
    expected: ClassVar = {"order", "product", "product_page"}

    def test_what_voids_is_listened_for(self) -> None:
        told = {name for namespace in caching.declared() for name in namespace.voided_by}

        assert {namespace.name for namespace in caching.declared()} >= self.expected
        assert told == set(CACHE.types or ())


@pytest.fixture
def paused_replica(pg: Addresses) -> Iterator[None]:
    """The replica is in use, and stands still."""
    where = make_conninfo(pg.superuser, port=conninfo_to_dict(pg.replica)["port"])
    with psycopg.connect(where, autocommit=True) as replica:
        wait_until(lambda: _reads_replica())
        wait_until(lambda: Product.objects.using("replica").filter(pk=SKU, name="Tea").exists())
        replica.execute("SELECT pg_wal_replay_pause()")
        wait_until(
            lambda: replica.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == ("paused",)
        )
        yield
        replica.execute("SELECT pg_wal_replay_resume()")
    connection.close()


def _reads_replica() -> bool:
    with replica_reads():
        return database_for_reads() == "replica"
