"""An order paid in several parts: all of them are taken, or none."""

import pytest

from payments.models import Payment
from tests.conftest import SandboxClient
from tests.orders_kit import Books, books, carry_to_the_end, place, stock, stock_left

pytestmark = pytest.mark.django_db(transaction=True)

DECLINED = "pm_card_visa_chargeDeclined"
ANSWER_LOST = "pm_card_visa_fault_reset_after"


@pytest.mark.parametrize("methods", [(DECLINED, ANSWER_LOST), (ANSWER_LOST, DECLINED)])
def test_a_decline_beside_a_doubt_still_cancels_the_order(
    methods: tuple[str, str], sandbox: SandboxClient
) -> None:
    stock(1)
    order_id = place(*methods)

    carry_to_the_end([order_id], within_s=30)

    assert books(order_id, sandbox.orders()) == Books(
        "cancelled", 0, 0, 0, 0, ("released",), ("order.placed", "order.cancelled")
    )
    payments = Payment.objects.filter(order_id=order_id).values_list("method", "status", "captured_minor")
    assert set(payments) == {(DECLINED, "declined", 0), (ANSWER_LOST, "voided", 0)}
    assert stock_left() == (1, 0)


def test_a_tender_that_nobody_authorized_keeps_the_others_from_being_taken(sandbox: SandboxClient) -> None:
    """As when an operator took an authorization for settled that was not."""
    stock(1)
    order_id = place("pm_card_visa", "pm_card_visa")
    Payment.objects.filter(order_id=order_id, position=1).update(status="declined", decline_code="lost_card")

    carry_to_the_end([order_id], within_s=30)

    assert books(order_id, sandbox.orders()).status == "cancelled"
    assert books(order_id, sandbox.orders()).captured_minor == 0
