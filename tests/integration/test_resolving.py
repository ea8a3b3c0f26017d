"""What a person may take as settled of a parked saga: never what a gateway still owes an answer to."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from orders.models import Order
from payments.gateways import registry
from payments.gateways.base import Capture, Refund
from payments.models import Payment
from payments.models import Refund as RefundRow
from payments.testing import Trouble
from resilience.clock import now
from resilience.saga import operate
from resilience.saga.decide import DOUBT_ASKS_MAX
from resilience.saga.models import OperatorAction, Saga
from tests.fragile_gateway import Fragile
from tests.orders_kit import carry_to_the_end, paid, place, refund, runner, stock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway() -> Iterator[Fragile]:
    fake = Fragile(name=registry.gateway_names()[0])
    registry.install(fake)
    yield fake
    registry.reset()


def parked(key: UUID, gateway: Fragile) -> Saga:
    """Ask about the saga's doubt so often that an operator is shown it."""
    saga = Saga.objects.get(business_key=key)
    runner(lease_s=5.0).run([saga.pk])
    gateway.is_silent = True
    Saga.objects.filter(pk=saga.pk).update(due_at=now(), waits=DOUBT_ASKS_MAX)
    runner(lease_s=5.0).run([saga.pk])
    saga.refresh_from_db()
    assert (saga.status, "in doubt" in saga.parked_reason) == ("parked", True)
    return saga


def resolve(saga: Saga) -> None:
    operate.resolve(operate.Instruction(saga.pk, "ada", "it must have worked", now()))


def test_a_capture_in_doubt_is_not_taken_for_done(gateway: Fragile) -> None:
    stock(1)
    order_id = place()
    gateway.plan(Capture, Trouble.REQUEST_LOST)
    saga = parked(order_id, gateway)

    with pytest.raises(operate.StepNotSettledError, match=r"capture of payment .* has no answer yet"):
        resolve(saga)

    assert Order.objects.get(pk=order_id).status == "pending"
    assert not OperatorAction.objects.exists()
    gateway.is_silent = False
    operate.retry(operate.Instruction(saga.pk, "ada", "the gateway is back", now()))
    carry_to_the_end([order_id], within_s=20)
    assert Order.objects.get(pk=order_id).status == "confirmed"


def test_a_refund_that_is_pending_is_not_taken_for_made(gateway: Fragile) -> None:
    stock(1)
    _order_id, payment = paid()
    refund_id = refund(payment, 400)
    gateway.plan(Refund, Trouble.ANSWER_LOST)
    saga = parked(refund_id, gateway)

    with pytest.raises(operate.StepNotSettledError, match="is pending and its amount reserved"):
        resolve(saga)

    assert Payment.objects.get(pk=payment.pk).refund_reserved_minor == 400
    gateway.is_silent = False
    operate.retry(operate.Instruction(saga.pk, "ada", "the gateway is back", now()))
    carry_to_the_end([refund_id], within_s=20)
    assert RefundRow.objects.get(pk=refund_id).status == "succeeded"
    payment.refresh_from_db()
    assert (payment.refunded_minor, payment.refund_reserved_minor) == (400, 0)


def test_a_step_whose_payments_stand_may_be_taken_as_done(gateway: Fragile) -> None:
    stock(1)
    order_id = place()
    saga = Saga.objects.get(business_key=order_id)
    # All is captured, and the saga does not know it: somebody mended the row of a crash by hand.
    carry_to_the_end([order_id], within_s=20)
    Order.objects.filter(pk=order_id).update(status="pending")
    Saga.objects.filter(pk=saga.pk).update(
        status="parked",
        parked_from="running",
        cursor=2,
        ended_at=None,
        parked_reason="capture_payment crashed",
    )

    resolve(saga)

    saga.refresh_from_db()
    assert (saga.status, saga.cursor) == ("running", 3)
