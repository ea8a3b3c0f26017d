"""What a buyer is told while the end is not known: never more than that."""

import itertools
import re

import pytest

from payments.messages import MESSAGES, Uncertainty, message_of_payment, message_of_refund
from payments.states import PaymentStatus, RefundStatus

# Whatever says what became of the money: taken or not, returned or not.
TELLS_THE_END = re.compile(
    r"charged|debited|taken|captured|refunded|returned|given back|was paid|money|on its way"
    r"|failed|succeeded|declined|cancelled|safe to",
    re.IGNORECASE,
)
OPEN = (
    PaymentStatus.PENDING,
    PaymentStatus.REQUIRES_ACTION,
    PaymentStatus.PROCESSING,
    PaymentStatus.AUTHORIZED,
)


def message(
    status: PaymentStatus, *, action_type: str = "", in_doubt: bool = False, refund: bool = False
) -> str:
    return message_of_payment(
        status=status, action_type=action_type, is_in_doubt=in_doubt, is_being_refunded=refund
    )


def test_every_uncertainty_has_a_text_of_its_own():
    assert MESSAGES.keys() == set(Uncertainty)
    assert len(set(MESSAGES.values())) == len(MESSAGES)


@pytest.mark.parametrize("uncertainty", Uncertainty)
def test_no_text_says_what_became_of_the_money(uncertainty: Uncertainty):
    assert TELLS_THE_END.search(MESSAGES[uncertainty]) is None


@pytest.mark.parametrize(
    "text",
    [
        "You were not charged.",
        "Your card has not been debited.",
        "Your money is on its way.",
        "The amount was returned.",
        "It is safe to pay again.",
    ],
)
def test_the_rule_sees_a_text_that_says_too_much(text: str):
    assert TELLS_THE_END.search(text) is not None


@pytest.mark.parametrize("status", PaymentStatus)
def test_whatever_is_in_doubt_has_a_message_whatever_else_is_true(status: PaymentStatus):
    for action_type, refund in itertools.product(("", "redirect", "voucher"), (False, True)):
        told = message(status, action_type=action_type, in_doubt=True, refund=refund)
        is_taken = status in (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)
        assert told == MESSAGES[Uncertainty.REFUND_IN_DOUBT if is_taken else Uncertainty.PAYMENT_IN_DOUBT]


@pytest.mark.parametrize("status", OPEN)
def test_nobody_is_asked_to_pay_twice(status: PaymentStatus):
    assert "Do not pay again" in message(status, in_doubt=True)


@pytest.mark.parametrize(
    ("status", "action_type", "refund", "expected"),
    [
        (PaymentStatus.PENDING, "", False, None),
        (PaymentStatus.AUTHORIZED, "", False, None),
        (PaymentStatus.PROCESSING, "", False, Uncertainty.PAYMENT_PROCESSING),
        (PaymentStatus.REQUIRES_ACTION, "redirect", False, Uncertainty.PAYER_HAS_TO_ACT),
        (PaymentStatus.REQUIRES_ACTION, "voucher", False, Uncertainty.VOUCHER_TO_PAY),
        (PaymentStatus.CAPTURED, "", False, None),
        (PaymentStatus.CAPTURED, "", True, Uncertainty.REFUND_PENDING),
        (PaymentStatus.DECLINED, "", False, None),
        (PaymentStatus.VOIDED, "", False, None),
        (PaymentStatus.REFUNDED, "", False, None),
    ],
)
def test_a_message_is_there_exactly_where_the_end_is_not_known(status, action_type, refund, expected):
    assert message(status, action_type=action_type, refund=refund) == (MESSAGES[expected] if expected else "")


@pytest.mark.parametrize(
    ("status", "in_doubt", "expected"),
    [
        (RefundStatus.PENDING, False, Uncertainty.REFUND_PENDING),
        (RefundStatus.PENDING, True, Uncertainty.REFUND_IN_DOUBT),
        (RefundStatus.SUCCEEDED, False, None),
        (RefundStatus.FAILED, False, None),
    ],
)
def test_a_refund_has_one_until_it_has_ended(status, in_doubt, expected):
    assert message_of_refund(status=status, is_in_doubt=in_doubt) == (MESSAGES[expected] if expected else "")
