"""What the payments context refuses."""

from resilience.errors import Operational, Refusal


class PaymentNotFoundError(Refusal):
    """There is no such payment, or it is another client's."""

    code = "payment_not_found"


class RefundNotFoundError(Refusal):
    """The payment has no such refund."""

    code = "refund_not_found"


class NothingToRefundError(Refusal):
    """Nothing was captured, or all of it is given back or being given back."""

    code = "nothing_to_refund"


class RefundTooLargeError(Refusal):
    """More is wanted back than is left."""

    code = "refund_too_large"


class PaymentDisputedError(Refusal):
    """The payer's bank has taken the money back: a refund would return it twice."""

    code = "payment_disputed"


class ReconciliationUnderWayError(Refusal):
    """The account is being reconciled already."""

    code = "reconciliation_under_way"


class ReconciliationTakenOverError(Operational):
    """A run was slower than its lease, was taken for dead, and may write nothing more."""

    code = "reconciliation_taken_over"


class GatewaySilentError(Operational):
    """A gateway could not be asked about a difference, so nobody can judge it."""

    code = "gateway_silent"


class TooManyDifferencesError(Operational):
    """More differs than one run may ask about; the next one goes on."""

    code = "too_many_differences"


class ExceptionNotFoundError(Refusal):
    """There is no such reconciliation exception."""

    code = "reconciliation_exception_not_found"


class ExceptionResolvedError(Refusal):
    """Somebody, or a later pass, has resolved the reconciliation exception already."""

    code = "reconciliation_exception_resolved"


class GatewayNotFoundError(Refusal):
    """A notice came to an address that is no account's."""

    code = "gateway_not_found"


class WebhookSignatureInvalidError(Refusal):
    """A notice is not signed as the account's gateway signs; it was not read."""

    code = "webhook_signature_invalid"


class WebhookSecretMissingError(Operational):
    """A notice cannot be checked, because its account has no secret.

    Operational: it is ours to mend, and the gateway tells again meanwhile.
    """

    code = "webhook_secret_missing"
