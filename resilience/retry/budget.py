"""How many retries one dependency bears: a token bucket that a success fills and a vain retry empties.

The danger: while a part is down, everybody tries again, and what comes up under several times its load
goes down once more. Three layers of three tries each make 27 calls of one.

The bucket is that of the AWS SDKs' standard mode (500 tokens; a retry costs 14, one after "too much to
do" 5; the cost comes back with its success, and 1 with each first success). In an outage it is empty after
some 35 retries and then only a floor passes (as in Finagle's RetryBudget), because a quiet dependency must
be tried again too, and because after an outage everything that waits *is* a retry: a success at the
floor brings the price of the next one, so that the backlog flows the faster the more of it succeeds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType

from resilience.retry.trouble import Trouble

# AWS SDKs, standard mode since 2026 (botocore 1.44.5). 500/14: 35 retries in vain, then the floor.
# A question after a doubt costs what a throttled call costs: it changes nothing at the other side and
# is owed to somebody whose money may be gone. So does a lost race, which says that the other side works.
COSTS = MappingProxyType(
    {Trouble.TRANSPORT: 14.0, Trouble.OVERLOAD: 5.0, Trouble.DOUBT: 5.0, Trouble.CONTENTION: 5.0}
)
TOKENS_MAX = 500.0
# Retries a second and process that pass with an empty bucket. Tenfold, forty processes are a load of their
# own on what tries to get up; a tenth, and recovery is noticed ten seconds late.
FLOOR_PER_S = 1.0
# Retries in vain that the whole fleet may add to its other calls (Google SRE; .NET's HttpRetryBudget).
FLEET_SHARE_MAX = 0.1
# Fewer say nothing: three failures among ten calls are no outage.
FLEET_WASTED_MIN = 10


@dataclass(frozen=True)
class Tally:
    """Calls that were answered for, and how many of them were retries in vain."""

    calls: int = 0
    wasted: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.calls + other.calls, self.wasted + other.wasted)

    @property
    def is_overspent(self) -> bool:
        """Whether retries in vain are more than their share of all other calls."""
        return self.wasted >= FLEET_WASTED_MIN and self.wasted > FLEET_SHARE_MAX * (self.calls - self.wasted)


class Budget:
    """The retries that one process may still make at one dependency. Thread-safe; asks nobody."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._tokens = TOKENS_MAX
        self._floor_at = 0.0
        self._calls = self._wasted = 0
        # Of the fleet, told by the pulse; False while nobody tells.
        self.is_fleet_overspent = False

    @property
    def tokens(self) -> float:
        """What is left."""
        return self._tokens

    def allows(self, trouble: Trouble, *, is_due: bool = False) -> bool:
        """Tell whether a retry may be made now, and pay for it."""
        return self.pay(trouble, is_due=is_due) is not None

    def pay(self, trouble: Trouble, *, is_due: bool = False) -> float | None:
        """Return what a retry costs that may be made now, None when it may not.

        With `is_due` it may in any case: whoever asks has been turned away often enough.
        """
        cost = COSTS[trouble]
        with self._lock:
            if self._tokens >= cost and not self.is_fleet_overspent:
                self._tokens -= cost
                return cost
            return 0.0 if is_due or self._passes_at_the_floor() else None

    def give_back(self, tokens: float) -> None:
        """Take back what was paid for a retry that was not made after all."""
        with self._lock:
            self._tokens = min(TOKENS_MAX, self._tokens + tokens)

    def note(self, trouble: Trouble | None, *, succeeded: bool) -> None:
        """Say how a call ended: a first one (`trouble` None), or a retry that was allowed for `trouble`."""
        with self._lock:
            self._calls += 1
            if succeeded:
                gained = 1.0 if trouble is None else COSTS[trouble]
                self._tokens = min(TOKENS_MAX, self._tokens + gained)
            elif trouble is not None:
                self._wasted += 1

    def take_tally(self) -> Tally:
        """Return what was counted since the last time."""
        with self._lock:
            tally = Tally(self._calls, self._wasted)
            self._calls = self._wasted = 0
        return tally

    def _passes_at_the_floor(self) -> bool:
        now = self._monotonic()
        if now < self._floor_at:
            return False
        self._floor_at = now + 1.0 / FLOOR_PER_S
        return True
