"""What goes wrong between us and a gateway that no answer of the port can say."""

from resilience.errors import Operational


class UnknownGatewayError(Operational):
    """A payment names an account that is not configured.

    Operational, not a refusal: its money may be there, so it waits until the account is back.
    """

    code = "unknown_gateway"


class KeyReusedError(AssertionError):
    """One idempotency key was used for two different requests: a bug of ours, so it is loud.

    The gateway has executed nothing now, but it may have executed the first request. Declined would
    be a lie, and in doubt would send the same mistake for ever; a crash parks the saga untouched.
    """


class StatementUnavailableError(Operational):
    """A page of a gateway's list could not be had: what was read so far says nothing of the rest."""

    code = "statement_unavailable"
