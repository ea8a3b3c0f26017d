"""A payment as its client sees it, also while nobody knows what became of its money."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from payments.messages import MESSAGES, Uncertainty
from payments.models import Dispute, Payment
from resilience import clock
from resilience.apikeys.cache import known_keys
from resilience.saga.models import Saga
from tests.api.foundation import assert_problem
from tests.api.shop import PAYMENTS, Shop, order_body
from tests.conftest import SandboxClient
from tests.ledger_kit import NOW, Sale
from tests.orders_kit import carry_to_the_end, runner, saga_ids, stock

pytestmark = pytest.mark.django_db
# Sagas are carried by others than this test, who must see what it has written.
CARRIED = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
NOBODYS = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
def shop(sandbox: SandboxClient) -> Shop:
    known_keys.forget_all()
    stock(10)
    return Shop()


def read(shop: Shop, payment_id: str) -> Any:
    return shop.get(f"{PAYMENTS}/{payment_id}", consistency_token="primary, please")


def money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def shown(order: dict[str, Any], payment: Payment, **changes: object) -> dict[str, Any]:
    return {
        "id": order["payments"][0]["id"],
        "order_id": order["id"],
        "method": order["payments"][0]["method"],
        "method_type": "card",
        "status": "pending",
        "processing": False,
        "amount": money(1000),
        "captured": money(0),
        "refunded": money(0),
        "refundable": money(0),
        "disputes": [],
        "decline_code": None,
        "action_url": None,
        "next_action": None,
        "in_doubt_since": None,
        "next_check_at": None,
        "message": None,
        "capture_before": payment.capture_before and written(payment.capture_before),
        "created_at": written(payment.created_at),
        "settled_at": payment.settled_at and written(payment.settled_at),
        **changes,
    }


def test_one_that_was_just_opened(shop: Shop) -> None:
    order = shop.order().json()

    answer = read(shop, order["payments"][0]["id"])

    assert answer.status_code == 200
    assert answer.json() == shown(order, Payment.objects.get())


@CARRIED
@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("pm_card_visa", {"status": "captured", "captured": money(1000), "refundable": money(1000)}),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            {"status": "declined", "decline_code": "insufficient_funds"},
        ),
    ],
)
def test_one_that_has_ended(shop: Shop, method: str, changes: dict[str, Any]) -> None:
    order = shop.order(order_body(payments=[{"method": method}])).json()
    carry_to_the_end([UUID(order["id"])], within_s=30)

    answer = read(shop, order["payments"][0]["id"])

    payment = Payment.objects.get()
    assert answer.json() == shown(order, payment, **changes)
    assert payment.settled_at is not None


@CARRIED
def test_one_in_doubt_says_so_and_when_it_is_asked_about(shop: Shop, sandbox: SandboxClient) -> None:
    order = shop.order().json()
    sandbox.faults({"fault": "lose_answer", "operation": "create", "times": 1, "delay_ms": 50})
    runner(lease_s=5.0).run(saga_ids([UUID(order["id"])]))

    body = read(shop, order["payments"][0]["id"]).json()

    payment = Payment.objects.get()
    assert payment.in_doubt_since is not None
    assert body["status"] == "pending"
    assert body["in_doubt_since"] == written(payment.in_doubt_since)
    due_at = Saga.objects.get().due_at
    assert due_at is not None
    assert body["next_check_at"] == written(due_at)
    assert due_at < clock.now() + timedelta(minutes=1)
    assert body["message"] == MESSAGES[Uncertainty.PAYMENT_IN_DOUBT]
    [in_order] = shop.get(f"/api/v1/orders/{order['id']}", consistency_token="x").json()["payments"]
    assert in_order["in_doubt_since"] == body["in_doubt_since"]
    assert in_order["message"] == body["message"]


@pytest.mark.parametrize(
    ("action_type", "uncertainty"),
    [("redirect", Uncertainty.PAYER_HAS_TO_ACT), ("voucher", Uncertainty.VOUCHER_TO_PAY)],
)
def test_one_that_its_payer_has_to_act_on_says_how_and_until_when(
    shop: Shop, action_type: str, uncertainty: Uncertainty
) -> None:
    order = shop.order().json()
    Payment.objects.update(
        status="requires_action", action_type=action_type, action_url="https://bank", action_until=NOW
    )

    body = read(shop, order["payments"][0]["id"]).json()

    assert (body["status"], body["processing"]) == ("requires_action", False)
    assert body["next_action"] == {"type": action_type, "url": "https://bank", "until": written(NOW)}
    assert body["message"] == MESSAGES[uncertainty]


def test_one_that_is_being_processed_says_so(shop: Shop) -> None:
    order = shop.order().json()
    Payment.objects.update(status="processing")

    body = read(shop, order["payments"][0]["id"]).json()

    assert (body["status"], body["processing"]) == ("processing", True)
    assert body["message"] == MESSAGES[Uncertainty.PAYMENT_PROCESSING]


def test_one_that_is_disputed_names_its_disputes_and_what_may_be_refunded(shop: Shop) -> None:
    sale = Sale()
    payment = sale.as_payment(refunded_minor=300)
    Payment.objects.update(refund_reserved_minor=200)
    dispute = Dispute.objects.create(
        payment=payment,
        gateway="sandbox-1",
        reference="dp_1",
        amount_minor=700,
        currency="EUR",
        reason="fraudulent",
        opened_at=NOW,
    )

    body = read(shop, str(payment.pk)).json()

    assert body["refundable"] == money(500)
    assert body["message"] == MESSAGES[Uncertainty.REFUND_PENDING]
    assert body["disputes"] == [
        {
            "id": str(dispute.pk),
            "status": "open",
            "amount": money(700),
            "reason": "fraudulent",
            "opened_at": written(NOW),
            "closed_at": None,
        }
    ]


def test_another_clients_is_the_same_404_as_nobodys(shop: Shop) -> None:
    theirs = Shop(client="other").order().json()["payments"][0]["id"]

    documents = [
        {
            name: str(value).replace(payment_id, "ID")
            for name, value in assert_problem(read(shop, payment_id), 404, "payment_not_found").items()
        }
        for payment_id in (theirs, NOBODYS)
    ]

    assert documents[0] == documents[1]


@pytest.mark.parametrize("payment_id", ["1", "x", NOBODYS.upper() + "A", NOBODYS.replace("-", ""), "a" * 36])
def test_an_id_that_is_none_is_a_404(shop: Shop, payment_id: str) -> None:
    assert_problem(read(shop, payment_id), 404, "not_found")


def test_an_orders_id_is_no_payments(shop: Shop) -> None:
    order = shop.order().json()

    assert_problem(read(shop, order["id"]), 404, "payment_not_found")
    assert_problem(shop.get(f"/api/v1/orders/{order['payments'][0]['id']}"), 404, "order_not_found")
