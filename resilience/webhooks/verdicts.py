"""What follows from one attempt: delivered, when to try again, or given up. No I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from resilience.retry import RetryPolicy, wait_s
from resilience.webhooks.states import DeliveryState, DisabledReason

# Ten seconds, doubled up to six hours, anywhere below that bound: some 25 attempts in three days.
RETRY = RetryPolicy(wait_initial_s=10.0, wait_max_s=6 * 3600.0)
TRIED_FOR = timedelta(days=3)
# Whoever is told to come back later than this is asked sooner all the same.
_RETRY_AFTER_S_MAX = 6 * 3600
# The breaker of an endpoint: after so many failures in a row only one attempt at a time, ever more rarely.
FAILURES_IN_ROW_MAX = 5
_PAUSE = RetryPolicy(wait_initial_s=5.0, wait_max_s=600.0)
# Nothing got through for so long: it is turned off, and its owner told.
FAILING_FOR = timedelta(days=5)
_GONE = 410


@dataclass(frozen=True)
class Reply:
    """What came of one attempt. `status` None: no answer, and `error` says why. `body` is an excerpt."""

    status: int | None
    error: str = ""
    body: str = ""
    retry_after_s: int | None = None
    took_s: float = 0.0

    @property
    def is_success(self) -> bool:
        """2xx only: a redirect is not followed, and so is none."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Verdict:
    """The delivery's next state; `due_at` only while it is pending."""

    state: DeliveryState
    due_at: datetime | None
    disables: DisabledReason | None = None


def verdict(reply: Reply, *, attempt: int, tried_since: datetime, now: datetime, random: Random) -> Verdict:
    """Return what becomes of a delivery that is tried since then, after its `attempt`-th attempt (from 1)."""
    if reply.is_success:
        return Verdict(DeliveryState.DELIVERED, None)
    if reply.status == _GONE:
        return Verdict(DeliveryState.FAILED, None, DisabledReason.GONE)
    pause_s = wait_s(RETRY, attempt=attempt, random=random)
    if reply.retry_after_s is not None:
        pause_s = max(pause_s, min(reply.retry_after_s, _RETRY_AFTER_S_MAX))
    due_at = now + timedelta(seconds=pause_s)
    if due_at > tried_since + TRIED_FOR:
        return Verdict(DeliveryState.FAILED, None)
    return Verdict(DeliveryState.PENDING, due_at)


def pause_s(failures_in_row: int, *, random: Random) -> float:
    """Return how long (seconds) an endpoint is left alone after so many failures in a row; 0: it is not."""
    over = failures_in_row - FAILURES_IN_ROW_MAX
    return 0.0 if over < 0 else max(1.0, wait_s(_PAUSE, attempt=over + 1, random=random))
