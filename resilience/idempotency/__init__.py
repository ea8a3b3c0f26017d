"""The same request twice is done once: stored answers under the client's Idempotency-Key."""

from resilience.idempotency.answer import Answer
from resilience.idempotency.idempotent import idempotent

__all__ = ["Answer", "idempotent"]
