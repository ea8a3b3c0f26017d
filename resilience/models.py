"""The rows of every tool, where Django looks for them."""

from resilience.apikeys.models import ApiKey
from resilience.idempotency.models import IdempotencyRecord

__all__ = ["ApiKey", "IdempotencyRecord"]
