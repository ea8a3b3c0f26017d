"""Looking at a payment again: whatever the gateway shows is booked once, and nothing else is.

The danger: an old look that is believed, a fact that nobody looks for, and another's charge taken for ours.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from orders.services.cancel_order import cancel_order
from payments.gateways import registry
from payments.gateways.base import Authorize, ChargeState, Declined, Observation, Refund
from payments.ledger.balances import balances
from payments.models import Dispute, Payment, ReconciliationException
from payments.services.take_notice import take_notice
from payments.subscriptions import NOTICES
from payments.testing import FakeGateway
from resilience.clock import now
from resilience.ids import new_id
from resilience.saga.models import Saga
from tests.events_kit import run_until_idle
from tests.notices_kit import event
from tests.orders_kit import CLIENT, carry_once, carry_to_the_end, carry_until, paid, payments, place, stock

pytestmark = pytest.mark.django_db(transaction=True)

END_WITHIN_S = 20


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    fake = FakeGateway(name=registry.gateway_names()[0])
    registry.install(fake)
    stock(3)
    yield fake
    registry.reset()


def tell(gateway: FakeGateway, type_: str, reference: str, **subject: Any) -> None:
    """Let the gateway send a notice, and handle it."""
    take_notice(gateway=gateway.name, document=event(type_, reference=reference, **subject), now=now())
    run_until_idle(NOTICES)


def look() -> None:
    """Carry to their ends the looks that were begun, and the refunds that they began."""
    while keys := list(
        Saga.objects.filter(
            definition__in=["observe_payment", "refund_payment"], status__in=["running", "compensating"]
        ).values_list("business_key", flat=True)
    ):
        carry_to_the_end(keys, within_s=END_WITHIN_S)


def amounts(payment: Payment) -> tuple[str, int, int, int]:
    """Return status, captured, refunded and reserved."""
    payment.refresh_from_db()
    return payment.status, payment.captured_minor, payment.refunded_minor, payment.refund_reserved_minor


def exceptions() -> list[tuple[str, str]]:
    return list(ReconciliationException.objects.values_list("kind", "reference"))


def cancelled(gateway: FakeGateway) -> tuple[Payment, str]:
    """Return a payment of an order that ended, and the reference of its charge, which holds money."""
    order_id = place()
    gateway.plan(Authorize, Declined("generic_decline", "No."))
    carry_to_the_end([order_id], within_s=END_WITHIN_S)
    (payment,) = payments(order_id)
    assert payment.status == "declined"
    operation = payment.operations.get()
    charge = gateway.bank.carry_out(
        Authorize(
            key=operation.key,
            order_id=order_id,
            payment_id=payment.id,
            amount_minor=1000,
            currency="EUR",
            method="pm_card_visa",
        )
    )
    return payment, charge.reference  # type: ignore[union-attr]


def test_more_refunds_than_one_look_books_are_all_booked(gateway: FakeGateway) -> None:
    _order_id, payment = paid()
    for _refund in range(60):
        gateway.bank.refund_by_hand(payment.reference, 10)

    tell(gateway, "charge.refunded", payment.reference)
    look()

    assert amounts(payment) == ("captured", 1000, 600, 0)


def test_of_money_that_came_after_the_end_the_rest_goes_back(gateway: FakeGateway) -> None:
    payment, reference = cancelled(gateway)
    gateway.bank.capture_by_hand(reference, 1000)
    gateway.bank.refund_by_hand(reference, 400)

    tell(gateway, "payment_intent.succeeded", reference, payment_id=payment.id)
    look()

    assert amounts(payment) == ("refunded", 1000, 1000, 0)
    assert gateway.book[reference].refunded_minor == 1000


def test_money_that_came_after_the_end_and_cannot_go_back_is_shown_to_a_person(gateway: FakeGateway) -> None:
    payment, reference = cancelled(gateway)
    gateway.bank.capture_by_hand(reference, 1000)
    gateway.plan(Refund, Declined("balance_insufficient", "The account has too little."))

    tell(gateway, "payment_intent.succeeded", reference, payment_id=payment.id)
    look()

    assert amounts(payment) == ("captured", 1000, 0, 0)
    assert exceptions() == [("refund_failed", reference)]


def test_an_old_look_at_a_refund_that_came_back_books_nothing(gateway: FakeGateway) -> None:
    _order_id, payment = paid()
    refund = gateway.bank.refund_by_hand(payment.reference, 400)
    tell(gateway, "refund.created", payment.reference)
    look()
    old = gateway.observe(payment.reference)
    gateway.bank.end_refund(refund, failure_code="lost_or_stolen_card")
    tell(gateway, "refund.failed", payment.reference)
    look()
    assert amounts(payment) == ("captured", 1000, 0, 0)

    gateway.plan_observations(old)
    tell(gateway, "refund.updated", payment.reference)
    look()

    assert amounts(payment) == ("captured", 1000, 0, 0)
    saga = Saga.objects.filter(definition="observe_payment").latest("created_at")
    assert list(saga.log.values_list("outcome", flat=True)) == ["done", "done"]


def test_an_old_look_at_a_payment_that_was_captured_since_is_no_difference(gateway: FakeGateway) -> None:
    _order_id, payment = paid()
    shown = gateway.observe(payment.reference)
    assert isinstance(shown, Observation)

    gateway.plan_observations(replace(shown, state=ChargeState.AUTHORIZED, captured_minor=0))
    tell(gateway, "refund.updated", payment.reference)
    look()

    assert exceptions() == []


@pytest.mark.parametrize("names", ["ours", "anothers", "nobodys"])
def test_another_charge_is_not_booked_on_a_payment_that_has_none(gateway: FakeGateway, names: str) -> None:
    payment, _reference = cancelled(gateway)
    foreign = gateway.bank.carry_out(
        Authorize(
            key="somebody-elses-key",
            order_id=new_id(),
            payment_id=payment.id if names == "ours" else new_id(),
            amount_minor=1000,
            currency="EUR",
            method="pm_card_visa",
        )
    ).reference
    gateway.bank.capture_by_hand(foreign, 1000)

    tell(gateway, "payment_intent.succeeded", foreign, payment_id=payment.id)
    look()

    assert amounts(payment) == ("declined", 0, 0, 0)
    assert gateway.book[foreign].refunded_minor == 0
    assert exceptions() == [("unknown_charge", foreign)]


def test_what_befalls_a_settled_tender_is_booked_while_its_order_waits_for_another(
    gateway: FakeGateway,
) -> None:
    order_id = place("pm_card_visa", "pm_card_threeDSecure2Required")
    carry_until([order_id], lambda: payments(order_id)[1].status == "requires_action", within_s=END_WITHIN_S)
    first = payments(order_id)[0]
    gateway.bank.capture_by_hand(first.reference, 500)
    Payment.objects.filter(pk=first.pk).update(status="captured", captured_minor=500)
    gateway.bank.refund_by_hand(first.reference, 200)

    tell(gateway, "charge.refunded", first.reference, amount_refunded=200)
    look()

    assert amounts(first) == ("captured", 500, 200, 0)


def test_a_dispute_is_booked_while_its_order_is_being_cancelled(gateway: FakeGateway) -> None:
    order_id = place("pm_card_pendingRefund")
    carry_to_the_end([order_id], within_s=END_WITHIN_S)
    (payment,) = payments(order_id)
    assert cancel_order(client=CLIENT, order_id=order_id, now=now())
    carry_until([order_id], lambda: bool(gateway.book[payment.reference].refunds), within_s=END_WITHIN_S)
    gateway.bank.dispute(payment.reference, 100)

    tell(gateway, "charge.dispute.created", payment.reference)
    look()

    assert Dispute.objects.filter(payment=payment).count() == 1


def test_a_charge_that_ended_elsewhere_does_not_end_a_payment_that_went_on(gateway: FakeGateway) -> None:
    order_id = place("pm_card_visa", "pm_card_threeDSecure2Required")
    carry_until([order_id], lambda: payments(order_id)[1].status == "requires_action", within_s=END_WITHIN_S)
    first = payments(order_id)[0]
    Saga.objects.filter(business_key=order_id).update(
        status="parked", parked_from="running", parked_reason="a bug", due_at=None
    )
    shown = gateway.observe(first.reference)
    assert isinstance(shown, Observation)

    # The charge of the account that it failed over from, say.
    gateway.plan_observations(replace(shown, reference="pi_before", state=ChargeState.ENDED))
    tell(gateway, "charge.updated_some_day", "pi_before", payment_id=first.id)
    look()

    assert Saga.objects.filter(definition="observe_payment").count() == 1
    assert amounts(first) == ("authorized", 0, 0, 0)
    assert exceptions() == []


def test_an_authorization_of_which_a_part_was_taken_by_hand_is_not_booked_as_taken_whole(
    gateway: FakeGateway,
) -> None:
    order_id = place("pm_card_visa", "pm_card_threeDSecure2Required")
    carry_until([order_id], lambda: payments(order_id)[1].status == "requires_action", within_s=END_WITHIN_S)
    first = payments(order_id)[0]
    gateway.bank.capture_by_hand(first.reference, 400)

    assert cancel_order(client=CLIENT, order_id=order_id, now=now())
    for _attempt in range(3):
        carry_once([order_id])

    assert amounts(first) == ("authorized", 0, 0, 0)
    assert first.in_doubt_since is not None
    assert balances().lines == ()
    assert not Saga.objects.get(definition="place_order").ended_at
