"""When to try again, and whether at all."""

from resilience.retry.policy import Jitter, RetryPolicy
from resilience.retry.waits import wait_s

__all__ = ["Jitter", "RetryPolicy", "wait_s"]
