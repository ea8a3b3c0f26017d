"""What the payments context refuses."""

from resilience.errors import Refusal


class PaymentNotFoundError(Refusal):
    """There is no such payment, or it is another client's."""

    code = "payment_not_found"
