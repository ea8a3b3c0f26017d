"""The OpenAPI document and the payments API say the same."""

from typing import Any
from uuid import UUID

import pytest

from payments.models import Dispute, Payment
from resilience.apikeys.cache import known_keys
from tests.api.malformed_addresses import NOBODYS
from tests.api.shop import EVERYTHING, PAYMENTS, Shop
from tests.api.test_openapi_orders import assert_as_described, operation
from tests.api.test_openapi_orders import document as document
from tests.conftest import SandboxClient
from tests.ledger_kit import NOW, Sale
from tests.orders_kit import carry_to_the_end, runner, saga_ids, stock

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
PAYMENT = "payments/{payment_id}"
REFUNDS_OF = f"{PAYMENT}/refunds"
REFUND = f"{REFUNDS_OF}/{{refund_id}}"
PRIMARY = {"consistency_token": "primary, please"}


@pytest.fixture
def caller() -> Shop:
    known_keys.forget_all()
    stock(10)
    return Shop(permissions=EVERYTHING)


def test_refunds_have_the_shapes_it_describes(
    document: dict[str, Any], caller: Shop, sandbox: SandboxClient
) -> None:
    order = caller.order().json()
    carry_to_the_end([UUID(order["id"])], within_s=30)
    payment_id = order["payments"][0]["id"]
    made, doubted = (caller.refund(payment_id, {"amount": amount, "reason": "r"}) for amount in (1, 2))
    carry_to_the_end([UUID(made.json()["id"])], within_s=30)
    sandbox.faults({"fault": "lose_answer", "operation": "refund", "times": 1, "delay_ms": 50})
    runner(lease_s=5.0).run(saga_ids([UUID(doubted.json()["id"])]))

    for answer in (made, doubted, caller.refund(payment_id)):
        assert_as_described(document, answer, "post", REFUNDS_OF)
        assert_as_described(document, caller.get(answer.headers["Location"], **PRIMARY), "get", REFUND)
    assert_as_described(
        document, caller.get(f"{PAYMENTS}/{payment_id}/refunds?limit=2", **PRIMARY), "get", REFUNDS_OF
    )
    assert_as_described(document, caller.get(f"{PAYMENTS}/{payment_id}", **PRIMARY), "get", PAYMENT)


def test_a_payment_in_any_state_has_the_shape_it_describes(document: dict[str, Any], caller: Shop) -> None:
    payment = Sale().as_payment()
    Dispute.objects.create(
        payment=payment,
        gateway="sandbox-1",
        reference="dp",
        amount_minor=1000,
        currency="EUR",
        opened_at=NOW,
    )
    for changes in (
        {"capture_before": NOW},
        {"status": "requires_action", "action_type": "redirect", "action_url": "https://bank"},
        {"status": "processing", "action_type": "", "action_url": ""},
    ):
        Payment.objects.update(**changes)
        answer = caller.get(f"{PAYMENTS}/{payment.pk}", **PRIMARY)
        assert_as_described(document, answer, "get", PAYMENT)


def test_refusals_have_the_shape_it_describes(document: dict[str, Any], caller: Shop) -> None:
    payment_id = Sale().as_payment().pk
    refused = [
        caller.refund(payment_id, {"amount": 1001}),
        caller.refund(payment_id, {"amount": 0}),
        caller.refund(NOBODYS),
        Shop(permissions=()).refund(payment_id),
        caller.refund(payment_id, b"x", content_type="text/plain"),
    ]
    caller.refund(payment_id)
    refused.append(caller.refund(payment_id))

    assert [answer.status_code for answer in refused] == [422, 400, 404, 403, 415, 409]
    for answer in refused:
        assert_as_described(document, answer, "post", REFUNDS_OF)
    for path, template in (
        (f"{payment_id}/refunds?x=1", REFUNDS_OF),
        (f"{payment_id}/refunds/{NOBODYS}", REFUND),
    ):
        assert_as_described(document, caller.get(f"{PAYMENTS}/{path}", **PRIMARY), "get", template)


def test_it_tells_the_bounds_of_a_refund(document: dict[str, Any]) -> None:
    shape = document["components"]["schemas"]["RefundRequest"]

    assert shape.get("required", []) == []
    assert shape["additionalProperties"] is False
    assert shape["properties"].keys() == {"amount", "reason"}
    assert (shape["properties"]["amount"]["minimum"], shape["properties"]["reason"]["maxLength"]) == (1, 255)


def test_it_names_the_headers_that_a_refund_needs(document: dict[str, Any]) -> None:
    headers = {
        parameter["name"]: parameter.get("required", False)
        for parameter in operation(document, "post", REFUNDS_OF)["parameters"]
        if parameter["in"] == "header"
    }

    assert headers == {"Idempotency-Key": True, "Prefer": False, "X-Request-Deadline-Ms": False}
