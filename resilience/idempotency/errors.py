"""How a request under an Idempotency-Key can fail; none of these is ever stored."""

from resilience.errors import Operational, Refusal
from resilience.rest.errors import InvalidRequest


class IdempotencyKeyMissing(InvalidRequest):
    """The header is not there."""

    code = "idempotency_key_missing"


class IdempotencyKeyInvalid(InvalidRequest):
    """The header is empty, too long, or not printable ASCII."""

    code = "idempotency_key_invalid"


class IdempotencyKeyReused(Refusal):
    """The key belongs to a request with another body."""

    code = "idempotency_key_reused"


class RequestInProgress(Operational):
    """The same request is still running."""

    code = "request_in_progress"
