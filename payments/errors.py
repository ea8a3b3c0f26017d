"""What the payments context refuses."""

from resilience.errors import Refusal


class PaymentNotFoundError(Refusal):
    """There is no such payment, or it is another client's."""

    code = "payment_not_found"


class NothingToRefundError(Refusal):
    """Nothing was captured, or all of it is given back or being given back."""

    code = "nothing_to_refund"


class RefundTooLargeError(Refusal):
    """More is wanted back than is left."""

    code = "refund_too_large"


class PaymentDisputedError(Refusal):
    """The payer's bank has taken the money back: a refund would return it twice."""

    code = "payment_disputed"
