"""Methods that are paid within days, against the real sandbox: slips (boleto), beside cards and vouchers.

The danger: goods held for ever for a slip that nobody pays, or money kept for an order that has ended.
"""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from orders.models import Order
from orders.services.cancel_order import cancel_order
from payments.models import Operation, Payment
from payments.steps.authorize_payments import AUTHORIZATION_LAPSES, LAPSE_MARGIN
from resilience.clock import now
from resilience.events.models import LoggedEvent
from resilience.saga.models import Saga
from tests.conftest import SandboxClient
from tests.orders_kit import (
    CLIENT,
    Books,
    books,
    carry_once,
    carry_to_the_end,
    carry_until,
    have_ended,
    payments,
    place,
    stock,
    stock_left,
)

pytestmark = pytest.mark.django_db(transaction=True)

END_WITHIN_S = 30
CARD, SLIP = "pm_card_visa", "pm_boleto_unpaid"
QUICK = {"boleto_pays_after_s": 1.0, "boleto_clears_after_s": 1.0}
LAPSING = {"boleto_pays_after_s": 1.0}
USUAL = {"boleto_pays_after_s": 3.0, "boleto_clears_after_s": 1.0}
NOTHING_TAKEN = Books("cancelled", 0, 0, 0, 0, ("released",), ("order.placed", "order.cancelled"))
PAID = ("order.placed", "order.confirmed")


@pytest.fixture(autouse=True)
def _usual_times(sandbox: SandboxClient) -> Iterator[None]:
    stock(1, currency="BRL")
    yield
    configure(sandbox, USUAL)


def configure(sandbox: SandboxClient, settings: dict[str, float]) -> None:
    httpx.post(f"{sandbox.url}/_config", json=settings).raise_for_status()


def pay(sandbox: SandboxClient, payment: Payment, outcome: str) -> None:
    """Be the payer at the bank."""
    answer = httpx.post(f"{sandbox.url}/_pay/{payment.reference}", json={"outcome": outcome})
    answer.raise_for_status()


def order(*methods: str) -> UUID:
    return place(*methods, currency="BRL")


def status_of(order_id: UUID) -> str:
    return Order.objects.get(pk=order_id).status


def statuses(order_id: UUID) -> list[str]:
    return [payment.status for payment in payments(order_id)]


def look_again(order_id: UUID) -> None:
    carry_until([order_id], lambda: have_ended([order_id]), within_s=END_WITHIN_S)


# --- Alone --------------------------------------------------------------------------------------


def test_a_slip_is_shown_to_its_payer_and_waited_for_without_a_worker(sandbox: SandboxClient) -> None:
    order_id = order(SLIP)

    counts = carry_once([order_id])

    assert (counts.claimed, counts.rescheduled) == (1, 1)
    assert status_of(order_id) == "requires_action"
    (payment,) = payments(order_id)
    assert (payment.status, payment.method_type, payment.action_type) == (
        "requires_action",
        "boleto",
        "voucher",
    )
    assert payment.action_url == f"{sandbox.url}/_pay/{payment.reference}"
    assert payment.action_until is not None
    assert timedelta(days=2) < payment.action_until - now() <= timedelta(days=3, seconds=1)
    assert payment.in_doubt_since is None
    saga = Saga.objects.get(business_key=order_id)
    assert (saga.status, saga.lease_owner) == ("running", "")
    assert saga.deadline_at - now() > timedelta(days=6)
    assert stock_left() == (1, 1)


def test_a_slip_that_is_paid_is_processed_and_then_taken(sandbox: SandboxClient) -> None:
    configure(sandbox, QUICK)
    order_id = order("pm_boleto")
    seen: list[str] = []

    def has_ended() -> bool:
        status = statuses(order_id)[0]
        if seen[-1:] != [status]:
            seen.append(status)
        return have_ended([order_id])

    carry_until([order_id], has_ended, within_s=END_WITHIN_S)

    assert seen == ["pending", "requires_action", "processing", "captured"]
    assert books(order_id, sandbox.orders()) == Books("confirmed", 1, 1000, 0, 0, ("committed",), PAID)
    (payment,) = payments(order_id)
    assert (payment.captured_minor, payment.action_type, payment.action_url) == (1000, "", "")
    told = LoggedEvent.objects.filter(aggregateid=payment.id).order_by("sequence")
    assert list(told.values_list("type", flat=True)) == [
        "payment.action_required",
        "payment.processing",
        "payment.captured",
    ]
    # Paid is taken: nobody asks to capture it.
    kinds = Operation.objects.filter(payment=payment).values_list("kind", "outcome")
    assert list(kinds) == [("authorize", "succeeded")]
    assert stock_left() == (0, 0)


@pytest.mark.parametrize("way", ["expires", "fails"])
def test_a_slip_that_nobody_pays_ends_the_order(sandbox: SandboxClient, way: str) -> None:
    configure(sandbox, LAPSING)
    order_id = order("pm_boleto_expires" if way == "expires" else SLIP)
    carry_once([order_id])
    if way == "fails":
        pay(sandbox, payments(order_id)[0], "fail")

    look_again(order_id)

    assert books(order_id, sandbox.orders()) == NOTHING_TAKEN
    assert statuses(order_id) == ["declined"]
    assert Order.objects.get(pk=order_id).cancel_reason == (
        "payment_intent_payment_attempt_expired"
        if way == "expires"
        else "payment_intent_payment_attempt_failed"
    )
    assert stock_left() == (1, 0)


def test_a_slip_can_be_cancelled_until_it_is_paid(sandbox: SandboxClient) -> None:
    order_id = order(SLIP)
    carry_once([order_id])
    assert cancel_order(client=CLIENT, order_id=order_id, now=now())

    look_again(order_id)

    assert books(order_id, sandbox.orders()) == NOTHING_TAKEN
    assert statuses(order_id) == ["voided"]
    assert stock_left() == (1, 0)


def test_a_slip_that_is_being_cleared_when_its_order_is_cancelled_is_refunded(
    sandbox: SandboxClient,
) -> None:
    configure(sandbox, {"boleto_pays_after_s": 0.2, "boleto_clears_after_s": 2.0})
    order_id = order("pm_boleto")
    carry_until([order_id], lambda: statuses(order_id) == ["processing"], within_s=END_WITHIN_S)
    assert cancel_order(client=CLIENT, order_id=order_id, now=now())

    look_again(order_id)

    assert books(order_id, sandbox.orders()) == Books(
        "cancelled", 1, 1000, 1000, 0, ("released",), ("order.placed", "order.cancelled")
    )
    assert statuses(order_id) == ["refunded"]
    assert stock_left() == (1, 0)


def test_a_slip_whose_answer_is_lost_is_issued_once(sandbox: SandboxClient) -> None:
    sandbox.faults({"fault": "reset_after", "operation": "create", "times": 1})
    order_id = order(SLIP)

    carry_until([order_id], lambda: status_of(order_id) == "requires_action", within_s=END_WITHIN_S)
    pay(sandbox, payments(order_id)[0], "succeed")
    look_again(order_id)

    assert books(order_id, sandbox.orders()) == Books("confirmed", 1, 1000, 0, 0, ("committed",), PAID)
    assert len(sandbox.rows("SELECT id FROM intents WHERE order_id = ?", str(order_id))) == 1


# --- Beside a card ------------------------------------------------------------------------------


@pytest.mark.parametrize("methods", [(CARD, SLIP), (SLIP, CARD)])
def test_a_card_is_taken_only_when_the_slip_beside_it_is_paid(
    sandbox: SandboxClient, methods: tuple[str, str]
) -> None:
    order_id = order(*methods)

    for _look in range(3):
        carry_once([order_id])

    assert status_of(order_id) == "requires_action"
    assert {payment.method: payment.status for payment in payments(order_id)} == {
        CARD: "authorized",
        SLIP: "requires_action",
    }
    waiting = books(order_id, sandbox.orders())
    assert (waiting.captures, waiting.open_authorizations) == (0, 1)
    slip = next(payment for payment in payments(order_id) if payment.method == SLIP)

    pay(sandbox, slip, "succeed")
    look_again(order_id)

    assert books(order_id, sandbox.orders()) == Books("confirmed", 2, 1000, 0, 0, ("committed",), PAID)
    assert statuses(order_id) == ["captured", "captured"]


def test_a_card_is_let_go_when_the_slip_beside_it_fails(sandbox: SandboxClient) -> None:
    order_id = order(CARD, SLIP)
    carry_once([order_id])
    pay(sandbox, payments(order_id)[1], "fail")

    look_again(order_id)

    assert books(order_id, sandbox.orders()) == NOTHING_TAKEN
    assert statuses(order_id) == ["voided", "declined"]
    assert stock_left() == (1, 0)


def test_a_card_that_would_lapse_before_the_slip_is_paid_ends_the_order(sandbox: SandboxClient) -> None:
    order_id = order(CARD, SLIP)
    carry_once([order_id])
    card = payments(order_id)[0]
    assert card.capture_before is not None
    Payment.objects.filter(pk=card.pk).update(capture_before=now() + LAPSE_MARGIN + timedelta(seconds=1.5))
    # It is looked at again in time, though a slip is looked at every few minutes only.
    carry_once([order_id])
    assert status_of(order_id) == "requires_action"

    carry_to_the_end([order_id], within_s=END_WITHIN_S)

    assert books(order_id, sandbox.orders()) == NOTHING_TAKEN
    assert Order.objects.get(pk=order_id).cancel_reason == AUTHORIZATION_LAPSES
    assert statuses(order_id) == ["voided", "voided"]
    assert stock_left() == (1, 0)


def test_a_card_that_was_captured_by_hand_lapses_no_more(sandbox: SandboxClient) -> None:
    order_id = order(CARD, SLIP)
    carry_once([order_id])
    card, slip = payments(order_id)
    httpx.post(f"{sandbox.url}/_console/capture", json={"payment_intent": card.reference}).raise_for_status()
    # As it is booked when it is seen at the gateway.
    Payment.objects.filter(pk=card.pk).update(
        status="captured", captured_minor=card.amount_minor, capture_before=now() - timedelta(days=1)
    )

    carry_once([order_id])
    pay(sandbox, slip, "succeed")
    look_again(order_id)

    assert books(order_id, sandbox.orders()) == Books("confirmed", 2, 1000, 0, 0, ("committed",), PAID)
    assert statuses(order_id) == ["captured", "captured"]


def test_a_slip_that_was_paid_beside_a_card_that_is_declined_is_given_back(sandbox: SandboxClient) -> None:
    # The card's payer takes so long over 3-D Secure that the slip is paid meanwhile.
    order_id = order("pm_card_threeDSecure2Required", SLIP)
    carry_once([order_id])
    card, slip = payments(order_id)
    assert [card.status, slip.status] == ["requires_action", "requires_action"]
    pay(sandbox, slip, "succeed")
    carry_once([order_id])
    assert statuses(order_id) == ["requires_action", "captured"]
    httpx.post(f"{sandbox.url}/_authenticate/{card.reference}", json={"outcome": "fail"}).raise_for_status()

    look_again(order_id)

    assert books(order_id, sandbox.orders()) == Books(
        "cancelled", 1, 500, 500, 0, ("released",), ("order.placed", "order.cancelled")
    )
    assert statuses(order_id) == ["declined", "refunded"]
    assert stock_left() == (1, 0)


def test_a_slip_beside_a_declined_card_is_withdrawn(sandbox: SandboxClient) -> None:
    order_id = order("pm_card_visa_chargeDeclined", SLIP)

    look_again(order_id)

    assert books(order_id, sandbox.orders()) == NOTHING_TAKEN
    assert statuses(order_id) == ["declined", "voided"]


# --- Vouchers -----------------------------------------------------------------------------------


def test_a_voucher_is_held_and_taken_as_a_card_is(sandbox: SandboxClient) -> None:
    order_id = order("pm_voucher", CARD)

    carry_to_the_end([order_id], within_s=END_WITHIN_S)

    assert books(order_id, sandbox.orders()) == Books("confirmed", 2, 1000, 0, 0, ("committed",), PAID)
    assert [(payment.method_type, payment.status) for payment in payments(order_id)] == [
        ("voucher", "captured"),
        ("card", "captured"),
    ]


def test_a_voucher_that_is_spent_lets_go_of_the_card_beside_it(sandbox: SandboxClient) -> None:
    order_id = order("pm_voucher_spent", CARD)

    carry_to_the_end([order_id], within_s=END_WITHIN_S)

    assert books(order_id, sandbox.orders()) == NOTHING_TAKEN
    assert Order.objects.get(pk=order_id).cancel_reason == "insufficient_funds"
    assert statuses(order_id) == ["declined", "voided"]
