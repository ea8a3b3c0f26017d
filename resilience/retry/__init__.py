"""When to try again, and whether at all (docs/retries.md)."""

from resilience.retry.budget import Budget
from resilience.retry.calling import call
from resilience.retry.policy import Jitter, RetryPolicy
from resilience.retry.trouble import Trouble
from resilience.retry.waits import wait_s

__all__ = ["Budget", "Jitter", "RetryPolicy", "Trouble", "call", "wait_s"]
