"""Refunds over HTTP: asked for once, never more than is left, and never told before they are known."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from payments.messages import MESSAGES, Uncertainty
from payments.models import Dispute, Operation, Payment, Refund
from resilience.apikeys.cache import known_keys
from resilience.saga.models import Saga
from tests.api.foundation import assert_problem
from tests.api.shop import PAYMENTS, Shop, answers_stored, order_body, rows_written
from tests.carriage import orders_are_carried
from tests.conftest import SandboxClient
from tests.ledger_kit import NOW, Sale
from tests.orders_kit import carry_to_the_end, runner, saga_ids, stock
from tests.together import at_once

pytestmark = pytest.mark.django_db
# Sagas are carried by others than this test, who must see what it has written.
CARRIED = pytest.mark.django_db(transaction=True, databases=["default", "replica"])
NOBODYS = "01890000-0000-7000-8000-000000000000"
PRIMARY = {"consistency_token": "primary, please"}
CARD = "4242424242424242"


@pytest.fixture
def shop(sandbox: SandboxClient) -> Shop:
    known_keys.forget_all()
    stock(10)
    return Shop()


@pytest.fixture
def payment() -> Payment:
    """A captured payment of 1000, whose gateway nobody is going to ask."""
    return Sale().as_payment()


def money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def paid(shop: Shop) -> str:
    """Place and carry an order; return its payment."""
    order = shop.order().json()
    carry_to_the_end([UUID(order["id"])], within_s=30)
    return str(order["payments"][0]["id"])


def refunds(shop: Shop, payment_id: object, query: str = "") -> Any:
    return shop.get(f"{PAYMENTS}/{payment_id}/refunds{query}", **PRIMARY)


@contextmanager
def nothing_is_written() -> Iterator[None]:
    before = rows_written(), list(Payment.objects.values())
    yield
    assert (rows_written(), list(Payment.objects.values())) == before


def test_a_refund_is_accepted_reserved_and_carried_by_a_saga(shop: Shop, payment: Payment) -> None:
    answer = shop.refund(payment.pk, {"amount": 300, "reason": "broken cup"})

    refund = Refund.objects.get()
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{PAYMENTS}/{payment.pk}/refunds/{refund.pk}"
    assert answer.headers["Consistency-Token"]
    assert body == {
        "id": str(refund.pk),
        "payment_id": str(payment.pk),
        "status": "pending",
        "amount": money(300),
        "reason": "broken cup",
        "failure_code": None,
        "source": "request",
        "created_at": refund.created_at.isoformat().replace("+00:00", "Z"),
        "settled_at": None,
        "message": MESSAGES[Uncertainty.REFUND_PENDING],
    }
    payment.refresh_from_db()
    assert (payment.refund_reserved_minor, payment.refunded_minor) == (300, 0)
    assert Saga.objects.get().business_key == refund.pk
    assert shop.get(answer.headers["Location"], **PRIMARY).json() == body


@pytest.mark.parametrize("body", [b"", {}])
def test_without_an_amount_all_that_is_left_goes_back(shop: Shop, payment: Payment, body: object) -> None:
    shop.refund(payment.pk, {"amount": 300})

    answer = shop.refund(payment.pk, body)

    assert (answer.status_code, answer.json()["amount"], answer.json()["reason"]) == (201, money(700), None)


def test_the_same_request_again_is_the_same_answer_and_one_refund(shop: Shop, payment: Payment) -> None:
    first = shop.refund(payment.pk, {"amount": 300}, key="k")

    again = shop.refund(payment.pk, {"amount": 300}, key="k", prefer="wait=30")

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert Refund.objects.count() == 1


def test_another_body_under_the_same_key_is_refused(shop: Shop, payment: Payment) -> None:
    shop.refund(payment.pk, {"amount": 300}, key="k")

    with nothing_is_written():
        assert_problem(shop.refund(payment.pk, {"amount": 301}, key="k"), 422, "idempotency_key_reused")


def test_more_than_is_left_is_refused_and_told_how_much_that_is(shop: Shop, payment: Payment) -> None:
    shop.refund(payment.pk, {"amount": 300})

    with nothing_is_written():
        answer = shop.refund(payment.pk, {"amount": 701}, key="k")

    document = assert_problem(answer, 422, "refund_too_large")
    assert "At most 700 " in document["detail"]
    assert shop.refund(payment.pk, {"amount": 701}, key="k").headers["Idempotency-Replayed"] == "true"
    assert shop.refund(payment.pk, {"amount": 700}).status_code == 201


def test_where_nothing_is_left_nothing_is_refunded(shop: Shop, payment: Payment) -> None:
    shop.refund(payment.pk)

    with nothing_is_written():
        assert_problem(shop.refund(payment.pk), 409, "nothing_to_refund")
        assert_problem(shop.refund(payment.pk, {"amount": 1}), 409, "nothing_to_refund")


def test_what_was_never_taken_is_not_refunded(shop: Shop) -> None:
    payment_id = shop.order().json()["payments"][0]["id"]

    with nothing_is_written():
        assert_problem(shop.refund(payment_id), 409, "nothing_to_refund")


@pytest.mark.parametrize(("status", "answered"), [("open", 409), ("lost", 409), ("won", 201)])
def test_a_disputed_payment_is_not_refunded_beside_the_dispute(
    shop: Shop, payment: Payment, status: str, answered: int
) -> None:
    Dispute.objects.create(
        payment=payment,
        gateway="sandbox-1",
        reference="dp",
        amount_minor=1000,
        currency="EUR",
        status=status,
        opened_at=NOW,
    )

    answer = shop.refund(payment.pk)

    assert answer.status_code == answered
    assert Refund.objects.count() == (answered == 201)
    if answered == 409:
        assert_problem(answer, 409, "payment_disputed")


def test_another_clients_payment_is_the_same_404_as_nobodys(shop: Shop, payment: Payment) -> None:
    made = shop.refund(payment.pk, {"amount": 1}).json()["id"]
    stranger = Shop(client="other")

    with nothing_is_written():
        for payment_id in (payment.pk, NOBODYS):
            assert_problem(stranger.refund(payment_id, {"amount": 1}), 404, "payment_not_found")
            assert_problem(refunds(stranger, payment_id), 404, "payment_not_found")
            assert_problem(refunds(stranger, payment_id, f"/{made}"), 404, "payment_not_found")


def test_a_refund_of_another_payment_is_none_of_this_one(shop: Shop, payment: Payment) -> None:
    made = shop.refund(payment.pk, {"amount": 1}).json()["id"]
    other = Sale().as_payment()

    assert_problem(refunds(shop, other.pk, f"/{made}"), 404, "refund_not_found")
    assert_problem(refunds(shop, payment.pk, f"/{NOBODYS}"), 404, "refund_not_found")


def test_a_key_without_the_permission_refunds_nothing(shop: Shop, payment: Payment) -> None:
    clerk = Shop(permissions=("orders.read", "orders.write", "payments.read"))

    with nothing_is_written():
        document = assert_problem(clerk.refund(payment.pk), 403, "permission_denied")

    assert "payments.refund" in document["detail"]


def test_they_are_listed_newest_first_in_pages(shop: Shop, payment: Payment) -> None:
    made = [shop.refund(payment.pk, {"amount": amount}).json() for amount in (1, 2, 3)]

    first = refunds(shop, payment.pk, "?limit=2").json()
    rest = refunds(shop, payment.pk, f"?limit=2&cursor={first['next_cursor']}").json()

    assert first["data"] + rest["data"] == made[::-1]
    assert rest["next_cursor"] is None


def test_a_reason_that_holds_a_card_number_is_refused_and_not_repeated(shop: Shop, payment: Payment) -> None:
    with nothing_is_written():
        answer = shop.refund(payment.pk, {"reason": f"back to {CARD}"})

    assert_problem(answer, 400, "card_number_refused")
    assert CARD not in answer.content.decode()
    assert answers_stored() == 0


@CARRIED
def test_who_waits_is_answered_with_the_refund_made(shop: Shop, sandbox: SandboxClient) -> None:
    payment_id = paid(shop)

    with orders_are_carried():
        answer = shop.refund(payment_id, {"amount": 300}, prefer="wait=30")

    body = answer.json()
    assert (answer.status_code, body["status"], body["amount"]) == (201, "succeeded", money(300))
    assert body["settled_at"] >= body["created_at"]
    assert "message" not in body
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert refunds(shop, payment_id, f"/{body['id']}").json() == body
    shown = shop.get(f"{PAYMENTS}/{payment_id}", **PRIMARY).json()
    assert (shown["refunded"], shown["refundable"], shown["message"]) == (money(300), money(700), None)


@CARRIED
def test_one_in_doubt_says_so_and_when_it_is_asked_about(shop: Shop, sandbox: SandboxClient) -> None:
    payment_id = paid(shop)
    refund_id = UUID(shop.refund(payment_id).json()["id"])
    sandbox.faults({"fault": "lose_answer", "operation": "refund", "times": 1, "delay_ms": 50})
    runner(lease_s=5.0).run(saga_ids([refund_id]))

    body = refunds(shop, payment_id, f"/{refund_id}").json()
    shown = shop.get(f"{PAYMENTS}/{payment_id}", **PRIMARY).json()

    due_at = Saga.objects.get(business_key=refund_id).due_at
    assert due_at is not None
    since = Operation.objects.get(refund_id=refund_id).in_doubt_since
    assert since is not None
    assert body["status"] == "pending"
    assert body["in_doubt_since"] == since.isoformat().replace("+00:00", "Z")
    assert body["next_check_at"] == due_at.isoformat().replace("+00:00", "Z")
    assert body["message"] == shown["message"] == MESSAGES[Uncertainty.REFUND_IN_DOUBT]
    assert (shown["status"], shown["next_check_at"]) == ("captured", body["next_check_at"])
    assert shown["in_doubt_since"] is not None
    [listed] = refunds(shop, payment_id).json()["data"]
    assert listed == body
    [in_order] = shop.get(f"/api/v1/orders/{shown['order_id']}", **PRIMARY).json()["payments"]
    assert in_order["message"] == body["message"]


@CARRIED
def test_what_an_order_gives_back_is_among_its_payments_refunds(shop: Shop) -> None:
    order = shop.order(order_body()).json()
    carry_to_the_end([UUID(order["id"])], within_s=30)
    shop.post(f"/api/v1/orders/{order['id']}/cancel", b"")
    carry_to_the_end([UUID(order["id"])], within_s=30)

    [refund] = refunds(shop, order["payments"][0]["id"]).json()["data"]

    assert (refund["source"], refund["status"], refund["amount"]) == ("return", "succeeded", money(1000))


@pytest.mark.django_db(transaction=True)
def test_asked_at_once_no_more_is_begun_than_is_left(shop: Shop, payment: Payment) -> None:
    answers = at_once([lambda: shop.refund(payment.pk, {"amount": 300}, key=uuid4().hex)] * 8)

    statuses = sorted(answer.status_code for answer in answers)
    payment.refresh_from_db()
    assert statuses == [201] * 3 + [422] * 5
    assert payment.refund_reserved_minor == 900
    assert Refund.objects.count() == Saga.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_the_same_request_eight_times_at_once_is_one_refund(shop: Shop, payment: Payment) -> None:
    answers = at_once([lambda: shop.refund(payment.pk, key="k")] * 8)

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert Refund.objects.count() == 1
