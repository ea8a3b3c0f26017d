"""What operators do with money and orders: to the cent, once, and never what is not theirs to give."""

from html import unescape
from uuid import uuid4

import pytest
from django.test import Client

from orders.models import Order
from orders.sagas import CANCEL_ORDER
from payments.models import Dispute, Payment, ReconciliationException
from resilience.audit_trail.models import StaffAction
from resilience.saga.models import Saga
from tests.acting_kit import act, address, an_operator, captured_payment
from tests.admin_rows import (
    make_exception,
    make_order,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    return an_operator()


def test_an_order_is_cancelled(operator: Client):
    order = Order.objects.get(pk=make_order(0))

    act(operator, "order-cancel", order.pk, reason="they asked")

    assert Saga.objects.filter(definition=CANCEL_ORDER.name, business_key=order.pk).exists()
    [deed] = StaffAction.objects.all()
    assert (deed.action, deed.subject, deed.outcome) == ("order-cancel", str(order.pk), "is being cancelled")


def test_what_was_taken_is_given_back_to_the_cent(operator: Client):
    payment = captured_payment()

    too_fine = act(operator, "payment-refund", payment.pk, reason="r", amount="1.005", follow=True)
    act(operator, "payment-refund", payment.pk, reason="a broken cup", amount="1.50")

    assert "cannot be given back" in unescape(too_fine.content.decode())
    payment.refresh_from_db()
    assert payment.refund_reserved_minor == 150
    assert [deed.reason for deed in StaffAction.objects.all()] == ["a broken cup"]


def test_a_form_that_is_sent_twice_gives_back_once(operator: Client):
    payment, once = captured_payment(), str(uuid4())

    act(operator, "payment-refund", payment.pk, amount="1.00", once=once)
    again = act(operator, "payment-refund", payment.pk, amount="1.00", once=once, follow=True)

    assert "sent twice" in unescape(again.content.decode())
    payment.refresh_from_db()
    assert payment.refund_reserved_minor == 100
    assert StaffAction.objects.count() == 1


def test_an_amount_is_for_one_payment(operator: Client):
    first, second = captured_payment(), captured_payment(number=1)

    told = act(operator, "payment-refund", first.pk, second.pk, amount="1.00", follow=True)

    assert "An amount is for one payment" in unescape(told.content.decode())
    assert not StaffAction.objects.exists()


def test_what_its_payer_disputes_is_not_given_back(operator: Client):
    payment = captured_payment()
    Dispute.objects.create(
        payment=payment,
        gateway="x",
        reference="dp",
        amount_minor=1,
        currency="EUR",
        opened_at=payment.created_at,
    )

    assert "The payer disputes it" in unescape(
        operator.get(address("payment-refund", payment.pk)).content.decode()
    )


def test_a_refund_in_doubt_is_asked_about_under_its_own_id(operator: Client):
    payment = captured_payment()
    act(operator, "payment-refund", payment.pk)
    saga = Saga.objects.get(definition="refund_payment")
    before = saga.signals

    act(operator, "payment-ask", payment.pk)

    saga.refresh_from_db()
    assert saga.signals == before + 1


def test_of_a_parked_saga_nobody_says_that_nothing_is_owed(operator: Client):
    payment = captured_payment()
    Payment.objects.filter(pk=payment.pk).update(in_doubt_since=payment.created_at)

    told = act(operator, "payment-ask", payment.pk, follow=True)

    assert "Its saga is parked" in unescape(told.content.decode())


def test_more_than_was_taken_is_refused_and_nothing_kept(operator: Client):
    payment = captured_payment()

    act(operator, "payment-refund", payment.pk, reason="all", amount="17.90")

    assert not StaffAction.objects.exists()


def test_an_exception_is_resolved_with_the_reason_as_its_note(operator: Client):
    key = make_exception(0)

    act(operator, "exception-resolve", key, reason="a test charge")

    assert ReconciliationException.objects.get(pk=key).resolved_by == "ann"
