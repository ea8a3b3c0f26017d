"""What a buyer is told of a payment whose end is not known yet. One table, so that one test reads all of it.

The danger: a text that says more than is known. A buyer who is told that nothing was taken pays again; one
who is told that it is on its way back stops asking. So no text here says what became of the money.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from payments.states import PaymentStatus, RefundStatus


class Uncertainty(StrEnum):
    """What is not known yet."""

    PAYMENT_IN_DOUBT = "payment_in_doubt"
    PAYMENT_PROCESSING = "payment_processing"
    PAYER_HAS_TO_ACT = "payer_has_to_act"
    VOUCHER_TO_PAY = "voucher_to_pay"
    REFUND_PENDING = "refund_pending"
    REFUND_IN_DOUBT = "refund_in_doubt"


MESSAGES: Mapping[Uncertainty, str] = MappingProxyType(
    {
        Uncertainty.PAYMENT_IN_DOUBT: "The payment is being confirmed. "
        "Do not pay again; the result is shown here.",
        Uncertainty.PAYMENT_PROCESSING: "The payment is being processed, which may take some days. "
        "Do not pay again; the result is shown here.",
        Uncertainty.PAYER_HAS_TO_ACT: "The bank asks you to confirm this payment. Follow the link to go on.",
        Uncertainty.VOUCHER_TO_PAY: "The payment slip is ready. "
        "Follow the link and pay it once; the result is shown here, which may take some days.",
        Uncertainty.REFUND_PENDING: "A refund has been asked for and is being carried out. "
        "The result is shown here.",
        Uncertainty.REFUND_IN_DOUBT: "A refund has been asked for and is being confirmed with the bank. "
        "There is no need to ask again; the result is shown here.",
    }
)

# Their money was taken: what can be in doubt is only whether it went back.
_TAKEN = frozenset({PaymentStatus.CAPTURED, PaymentStatus.REFUNDED})
_VOUCHER = "voucher"


def message_of_payment(
    *, status: PaymentStatus, action_type: str, is_in_doubt: bool, is_being_refunded: bool
) -> str:
    """Return what to tell the buyer of a payment; "" where everything is known. Doubt comes first."""
    uncertainty = _uncertainty(
        status=status,
        action_type=action_type,
        is_in_doubt=is_in_doubt,
        is_being_refunded=is_being_refunded,
    )
    return "" if uncertainty is None else MESSAGES[uncertainty]


def message_of_refund(*, status: RefundStatus, is_in_doubt: bool) -> str:
    """Return what to tell the buyer of a refund; "" once its end is known."""
    if status is not RefundStatus.PENDING:
        return ""
    return MESSAGES[Uncertainty.REFUND_IN_DOUBT if is_in_doubt else Uncertainty.REFUND_PENDING]


def _uncertainty(
    *, status: PaymentStatus, action_type: str, is_in_doubt: bool, is_being_refunded: bool
) -> Uncertainty | None:
    if is_in_doubt:
        return Uncertainty.REFUND_IN_DOUBT if status in _TAKEN else Uncertainty.PAYMENT_IN_DOUBT
    if is_being_refunded:
        return Uncertainty.REFUND_PENDING
    if status is PaymentStatus.PROCESSING:
        return Uncertainty.PAYMENT_PROCESSING
    if status is PaymentStatus.REQUIRES_ACTION:
        is_voucher = action_type == _VOUCHER
        return Uncertainty.VOUCHER_TO_PAY if is_voucher else Uncertainty.PAYER_HAS_TO_ACT
    return None
