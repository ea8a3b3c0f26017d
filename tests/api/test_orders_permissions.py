"""Who may do what: every route of the API x every method x every permission.

The routes come from the URL resolver, so a new one without an entry here fails.
"""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from resilience.apikeys.cache import known_keys
from tests.api.foundation import Caller, assert_problem
from tests.api.shop import EVERYTHING
from tests.orders_kit import SKU, stock

pytestmark = pytest.mark.django_db
NOBODYS = "01890000-0000-7000-8000-000000000000"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
PERMISSIONS = (*EVERYTHING, "orders.anything")

# What each method needs; a method that is not named does not exist.
NEEDED: dict[str, dict[str, str]] = {
    "events": {"GET": "events.read"},
    "orders": {"GET": "orders.read", "POST": "orders.write"},
    "orders/<uuid:order_id>": {"GET": "orders.read"},
    "orders/<uuid:order_id>/cancel": {"POST": "orders.write"},
    "orders/<uuid:order_id>/timeline": {"GET": "orders.read"},
    "products": {"GET": "orders.read"},
    "products/<str:sku>": {"GET": "orders.read", "PUT": "catalogue.write"},
    "products/<str:sku>/stock": {"POST": "catalogue.write"},
    "ledger/balances": {"GET": "ledger.read"},
    "ledger/entries": {"GET": "ledger.read"},
    "reconciliation/exceptions": {"GET": "ledger.read"},
    "reconciliation/exceptions/<uuid:exception_id>/resolve": {"POST": "ledger.reconcile"},
    "reconciliation/runs": {"GET": "ledger.read"},
    "reports": {"GET": "reports.read"},
    "reports/<str:name>": {"GET": "reports.read"},
    "reports/<str:name>/export": {"GET": "reports.read"},
    "webhook-endpoints": {"GET": "webhooks.read", "POST": "webhooks.write"},
    "webhook-endpoints/<uuid:endpoint_id>": {
        "GET": "webhooks.read",
        "PATCH": "webhooks.write",
        "DELETE": "webhooks.write",
    },
    "webhook-endpoints/<uuid:endpoint_id>/rotate-secret": {"POST": "webhooks.write"},
    "webhook-endpoints/<uuid:endpoint_id>/test": {"POST": "webhooks.write"},
    "webhook-endpoints/<uuid:endpoint_id>/deliveries": {"GET": "webhooks.read"},
    "webhook-endpoints/<uuid:endpoint_id>/redeliver": {"POST": "webhooks.write"},
    "webhook-deliveries/<uuid:delivery_id>": {"GET": "webhooks.read"},
    "webhook-deliveries/<uuid:delivery_id>/redeliver": {"POST": "webhooks.write"},
    "payments/<uuid:payment_id>": {"GET": "payments.read"},
    "payments/<uuid:payment_id>/ledger": {"GET": "payments.read"},
    "payments/<uuid:payment_id>/refunds": {"GET": "payments.read", "POST": "payments.refund"},
    "payments/<uuid:payment_id>/refunds/<uuid:refund_id>": {"GET": "payments.read"},
}
FOR_EVERYONE = {"asyncapi", "schema"}


@pytest.fixture(autouse=True)
def _catalogue() -> None:
    known_keys.forget_all()
    stock(1)


def api_routes() -> set[str]:
    return {
        route.removeprefix("api/v1/")
        for route in _routes(get_resolver().url_patterns)
        if route.startswith("api/v1/")
    }


def _routes(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


def address(route: str) -> str:
    made = re.sub(r"<uuid:\w+>", NOBODYS, route)
    return f"/api/v1/{made.replace('<str:sku>', SKU)}"


def needed_for(route: str, method: str) -> str | None:
    return NEEDED[route].get("GET" if method == "HEAD" else method)


def test_every_route_has_its_entry() -> None:
    assert api_routes() == NEEDED.keys() | FOR_EVERYONE


@pytest.mark.parametrize("route", sorted(NEEDED))
def test_nobody_passes_without_a_key(route: str) -> None:
    stranger = Client()
    for method in METHODS:
        answer = stranger.generic(method, address(route))
        if method == "HEAD":
            assert (answer.status_code, answer.content) == (401, b"")
        else:
            assert_problem(answer, 401, "not_authenticated")


@pytest.mark.parametrize("route", sorted(NEEDED))
def test_each_method_needs_its_own_permission_and_no_other(route: str) -> None:
    callers: dict[tuple[str, ...], Caller] = {}
    for method, permission in product(METHODS, [*PERMISSIONS, None, "all", "all but the needed"]):
        needed = needed_for(route, method)
        granted = {
            None: (),
            "all": PERMISSIONS,
            "all but the needed": tuple(one for one in PERMISSIONS if one != needed),
        }.get(permission, (str(permission),))

        if granted not in callers:
            callers[granted] = Caller(permissions=granted)
        answer = callers[granted].send(method, address(route), idempotency_key="k")

        said = (method, permission, answer.status_code)
        if needed is None:
            assert answer.status_code == 405, said
        elif needed in granted:
            assert answer.status_code in (200, 202, 400, 404), said
        else:
            assert answer.status_code == 403, said


@pytest.mark.parametrize("route", sorted(NEEDED))
def test_a_method_that_does_not_exist_is_a_405_that_names_those_that_do(route: str) -> None:
    caller = Caller(permissions=PERMISSIONS)
    exist = NEEDED[route].keys() | ({"HEAD"} if "GET" in NEEDED[route] else set())

    for method in set(METHODS) - exist:
        answer = caller.send(method, address(route))
        assert answer.status_code == 405
        if method != "HEAD":
            assert_problem(answer, 405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) - {"OPTIONS"} == exist


@pytest.mark.parametrize(
    "headers",
    [
        {"x_http_method_override": "PUT"},
        {"x_http_method": "PUT"},
        {"x_method_override": "PUT"},
    ],
)
def test_no_header_turns_one_method_into_another(headers: dict[str, str]) -> None:
    answer = Caller(permissions=PERMISSIONS).send("POST", f"/api/v1/products/{SKU}", **headers)

    assert_problem(answer, 405, "method_not_allowed")


def test_the_document_is_for_everyone_and_only_to_read() -> None:
    assert Client().get("/api/v1/schema").status_code == 200
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert_problem(Client().generic(method, "/api/v1/schema"), 405, "method_not_allowed")
