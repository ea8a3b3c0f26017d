"""The OpenAPI document and the API say the same: routes, statuses, headers, shapes and bounds."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from resilience.apikeys.cache import known_keys
from tests.api.malformed import FULL, NUMBERS, SHAPES
from tests.api.shop import EVERYTHING, ORDERS, PAYMENTS, PRODUCTS, Shop, order_body
from tests.api.test_orders_permissions import NEEDED, api_routes
from tests.conftest import SandboxClient
from tests.orders_kit import SKU, carry_to_the_end, stock

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
NOBODYS = "01890000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    served: dict[str, Any] = Client().get("/api/v1/schema").json()
    return served


@pytest.fixture
def caller() -> Shop:
    known_keys.forget_all()
    stock(10)
    return Shop(permissions=EVERYTHING)


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    described: dict[str, Any] = document["paths"][f"/api/v1/{path}"][method]
    return described


def assert_as_described(document: dict[str, Any], answer: Any, method: str, path: str) -> None:
    """Assert that status, media type and body of an answer are what the document says of them."""
    response = operation(document, method, path)["responses"][str(answer.status_code)]
    media_type = answer.headers["Content-Type"].partition(";")[0]
    assert media_type in response["content"], (media_type, response)
    schema = {**response["content"][media_type]["schema"], "components": document["components"]}
    errors = [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(
            schema, format_checker=Draft202012Validator.FORMAT_CHECKER
        ).iter_errors(answer.json())
    ]
    assert errors == []
    assert _unnamed(answer.json(), schema, document) == []


def _unnamed(value: Any, schema: dict[str, Any], document: dict[str, Any], place: str = "") -> list[str]:
    """Return the places of fields that an answer shows and the document does not name."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        found = [
            _unnamed(item, schema.get("items", {}), document, f"{place}/{n}") for n, item in enumerate(value)
        ]
        return [one for each in found for one in each]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    properties = schema["properties"]
    missing = [f"{place}/{name}" for name in value.keys() - properties.keys()]
    return missing + [
        one
        for name, inner in value.items()
        if name in properties
        for one in _unnamed(inner, properties[name], document, f"{place}/{name}")
    ]


def test_it_names_the_routes_and_methods_that_exist(document: dict[str, Any]) -> None:
    described = {
        path.removeprefix("/api/v1/"): set(methods) - {"parameters"}
        for path, methods in document["paths"].items()
    }

    by_template = {
        route.replace("<uuid:", "{").replace("<str:", "{").replace(">", "}"): {m.lower() for m in methods}
        for route, methods in NEEDED.items()
    }
    assert described == by_template
    assert len(api_routes()) == len(described) + 2  # the document itself, and that of the events


def test_answers_have_the_shapes_it_describes(
    document: dict[str, Any], caller: Shop, sandbox: SandboxClient
) -> None:
    placed = caller.order({**FULL, "customer": {"reference": "no e-mail"}})
    acting = caller.order(order_body(payments=[{"method": "pm_card_authenticationRequired"}]))
    declined = caller.order(order_body(payments=[{"method": "pm_card_visa_chargeDeclined"}]))
    payment_id = placed.json()["payments"][0]["id"]
    order_ids = [UUID(answer.json()["id"]) for answer in (placed, declined)]
    pending = caller.get(f"{PAYMENTS}/{payment_id}", consistency_token="x")
    carry_to_the_end(order_ids, within_s=30)
    primary = {"consistency_token": "x"}

    for answer in (placed, acting, declined):
        assert_as_described(document, answer, "post", "orders")
    assert_as_described(document, pending, "get", "payments/{payment_id}")
    for answer in (
        caller.get(f"{PAYMENTS}/{payment_id}", **primary),
        caller.get(f"{PAYMENTS}/{declined.json()['payments'][0]['id']}", **primary),
    ):
        assert_as_described(document, answer, "get", "payments/{payment_id}")
    for answer in (placed, acting, declined):
        assert_as_described(
            document, caller.get(answer.headers["Location"], **primary), "get", "orders/{order_id}"
        )
        cancelled = caller.post(f"{answer.headers['Location']}/cancel", b"")
        assert_as_described(document, cancelled, "post", "orders/{order_id}/cancel")
    assert_as_described(document, caller.get(f"{ORDERS}?limit=1", **primary), "get", "orders")
    assert_as_described(document, caller.get(PRODUCTS, **primary), "get", "products")
    assert_as_described(document, caller.get(f"{PRODUCTS}/{SKU}", **primary), "get", "products/{sku}")
    product = {"name": "New", "price": {"amount": 1, "currency": "EUR"}}
    for _time in range(2):
        assert_as_described(document, caller.put(f"{PRODUCTS}/NEW", product), "put", "products/{sku}")
    counted = caller.post(f"{PRODUCTS}/NEW/stock", {"adjust": 1}, idempotency_key="k")
    assert_as_described(document, counted, "post", "products/{sku}/stock")


def test_problems_have_the_shape_it_describes(document: dict[str, Any], caller: Shop) -> None:
    caller.order(key="k")
    refused = [
        (caller.order({}), "post", "orders"),
        (caller.order(order_body(currency="USD")), "post", "orders"),
        (caller.order(order_body(shipping=1), key="k"), "post", "orders"),
        (caller.post(ORDERS, b"x", idempotency_key="k", content_type="text/plain"), "post", "orders"),
        (caller.order({"x": "x" * 1024 * 1024}), "post", "orders"),
        (Shop(permissions=()).order(), "post", "orders"),
        (caller.get(f"{ORDERS}?x=1"), "get", "orders"),
        (caller.get(f"{ORDERS}/{NOBODYS}"), "get", "orders/{order_id}"),
        (caller.post(f"{ORDERS}/{NOBODYS}/cancel", b""), "post", "orders/{order_id}/cancel"),
        (caller.get(f"{PAYMENTS}/{NOBODYS}"), "get", "payments/{payment_id}"),
        (caller.get(f"{PRODUCTS}/NONE"), "get", "products/{sku}"),
        (caller.put(f"{PRODUCTS}/X", {}), "put", "products/{sku}"),
        (
            caller.post(f"{PRODUCTS}/{SKU}/stock", {"adjust": -99}, idempotency_key="k"),
            "post",
            "products/{sku}/stock",
        ),
    ]

    assert {answer.status_code for answer, _method, _path in refused} == {400, 403, 404, 409, 413, 415, 422}
    for answer, method, path in refused:
        assert_as_described(document, answer, method, path)


def test_it_tells_the_bounds_of_an_order(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    order, line, payment = (
        schemas[name]["properties"] for name in ("OrderRequest", "LineRequest", "PaymentRequest")
    )

    assert schemas["OrderRequest"]["required"] == ["currency", "customer", "lines", "payments"]
    assert (order["lines"]["minItems"], order["lines"]["maxItems"]) == (1, 100)
    assert (order["payments"]["minItems"], order["payments"]["maxItems"]) == (1, 10)
    assert (line["quantity"]["minimum"], line["quantity"]["maximum"]) == (1, 1_000_000)
    assert (line["sku"]["maxLength"], payment["method"]["maxLength"]) == (64, 255)
    assert payment["amount"]["minimum"] == 1
    assert line["sku"]["pattern"] == "^[A-Za-z0-9][A-Za-z0-9._:-]*$"


@pytest.fixture
def requests_taken(document: dict[str, Any]) -> Draft202012Validator:
    """What the document says a request for an order is."""
    schema = operation(document, "post", "orders")["requestBody"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document["components"]})


def test_it_takes_the_requests_that_the_api_takes(requests_taken: Draft202012Validator) -> None:
    for body in (FULL, order_body()):
        assert [error.message for error in requests_taken.iter_errors(body)] == []


def test_it_takes_none_of_the_shapes_that_the_api_refuses(requests_taken: Draft202012Validator) -> None:
    refused = [bad for bad in SHAPES + NUMBERS if bad.code == "validation_failed"]

    taken = [bad.name for bad in refused if requests_taken.is_valid(json.loads(bad.body))]
    # To JSON Schema, all of these are integers.
    assert {name.partition(" = ")[2] for name in taken} <= {"1.0", "1e2", "-0"}
    assert len(refused) > 50


def test_each_operation_has_a_name_of_its_own_and_says_what_it_does(document: dict[str, Any]) -> None:
    operations = [
        described
        for methods in document["paths"].values()
        for name, described in methods.items()
        if name != "parameters"
    ]

    names = [described["operationId"] for described in operations]
    assert len(set(names)) == len(names)
    assert all(described["description"] for described in operations)


def test_it_names_the_headers_that_an_order_needs(document: dict[str, Any]) -> None:
    headers = {
        parameter["name"]: parameter.get("required", False)
        for parameter in operation(document, "post", "orders")["parameters"]
        if parameter["in"] == "header"
    }

    assert headers == {"Idempotency-Key": True, "Prefer": False, "X-Request-Deadline-Ms": False}
