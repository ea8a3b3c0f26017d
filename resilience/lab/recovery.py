"""A dependency is away, comes back, and everyone who waited for it calls: how fast is the crowd served?

All clients fail within 50 ms and try again by one policy. While the outage lasts every call fails; after it
the server takes `capacity_per_s` calls with a burst of a tenth of a second, and calls beyond that fail.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from statistics import median

from resilience.retry.budget import Budget
from resilience.retry.policy import RetryPolicy
from resilience.retry.trouble import Trouble
from resilience.retry.waits import wait_s

# Everyone was in the middle of a call when it broke.
FIRST_CALLS_WITHIN_S = 0.05
# How long the server may be idle and still make up for it: its queue.
BURST_S = 0.1
# The width in which peaks are counted.
PEAK_OF_S = 0.1

# (attempt, the wait before, random) -> seconds; the engine's `wait_s` with a policy, or a peer's rule.
Wait = Callable[[int, float, Random], float]


@dataclass(frozen=True)
class Outage:
    """What is away for how long, and how many wait for it; a process holds `clients_per_process` of them."""

    clients: int = 2000
    outage_s: float = 30.0
    capacity_per_s: float = 200.0
    clients_per_process: int = 100

    @property
    def processes(self) -> int:
        """How many hold them."""
        return -(-self.clients // self.clients_per_process)


@dataclass(frozen=True)
class Recovery:
    """How it went. `served_s` counts from the end of the outage and is sorted.

    `calls` are all, `calls_in_outage` those that could only fail; `peak` is the most calls that came
    within a tenth of a second after the outage. `calls_by_second` counts from the failure on, up to the end.
    """

    calls: int
    calls_in_outage: int
    peak: int
    served_s: tuple[float, ...]
    calls_by_second: tuple[int, ...]

    @property
    def completed_s(self) -> float:
        """When the last client was served."""
        return self.served_s[-1]

    @property
    def wait_median_s(self) -> float:
        """When half of them were."""
        return median(self.served_s)


@dataclass
class _Server:
    """A token bucket: `idle_calls` is what it could take at once."""

    outage: Outage
    idle_calls: float
    asked_s: float

    def serves(self, now_s: float) -> bool:
        rate = self.outage.capacity_per_s
        self.idle_calls = min(rate * BURST_S, self.idle_calls + (now_s - self.asked_s) * rate)
        self.asked_s = now_s
        if self.idle_calls < 1.0:
            return False
        self.idle_calls -= 1.0
        return True


@dataclass
class _Tally:
    calls: int = 0
    calls_in_outage: int = 0
    crowds: Counter[int] = field(default_factory=Counter)
    seconds: Counter[int] = field(default_factory=Counter)
    served_s: list[float] = field(default_factory=list)

    def recovery(self) -> Recovery:
        return Recovery(
            calls=self.calls,
            calls_in_outage=self.calls_in_outage,
            peak=max(self.crowds.values()),
            served_s=tuple(self.served_s),
            calls_by_second=tuple(self.seconds[second] for second in range(max(self.seconds) + 1)),
        )


def recover(outage: Outage, *, wait: Wait, random: Random, is_budgeted: bool = False) -> Recovery:
    """Let everyone try until served.

    With `is_budgeted`, each process has the engine's budget. A retry that it refuses is not sent: the client
    waits again, and its attempt is not spent.
    """
    crowd = _Crowd(outage, wait=wait, random=random)
    budgets = [crowd.new_budget() for _ in range(outage.processes)] if is_budgeted else None
    while crowd.waiting:
        number, attempt, waited_s = crowd.next_moment()
        budget = budgets[number % outage.processes] if budgets else None
        # A first call is nobody's retry.
        trouble = Trouble.TRANSPORT if attempt > 1 else None
        if budget is not None and trouble is not None and not budget.allows(trouble):
            crowd.wait(number, attempt, waited_s)
            continue
        is_served = crowd.call()
        if budget is not None:
            budget.note(trouble, succeeded=is_served)
        if not is_served:
            crowd.wait(number, attempt + 1, waited_s)
    return crowd.tally.recovery()


class _Crowd:
    """Who waits until when, the server that they call, and the clock."""

    def __init__(self, outage: Outage, *, wait: Wait, random: Random) -> None:
        self.tally = _Tally()
        self._now_s = 0.0
        self._wait, self._random = wait, random
        self._server = _Server(outage, outage.capacity_per_s * BURST_S, outage.outage_s)
        # When it calls, who, which attempt this is, and the wait before it.
        self.waiting = [
            (random.uniform(0.0, FIRST_CALLS_WITHIN_S), number, 1, 0.0) for number in range(outage.clients)
        ]
        heapq.heapify(self.waiting)

    def new_budget(self) -> Budget:
        """Return a budget that goes by this clock."""
        return Budget(monotonic=lambda: self._now_s)

    def next_moment(self) -> tuple[int, int, float]:
        """Go on to whoever is next; return who, which attempt it would be, and how long it waited."""
        self._now_s, number, attempt, waited_s = heapq.heappop(self.waiting)
        return number, attempt, waited_s

    def wait(self, number: int, attempt: int, waited_s: float) -> None:
        """Let a client wait before this attempt, after `waited_s` the last time."""
        pause_s = self._wait(max(1, attempt - 1), waited_s, self._random)
        heapq.heappush(self.waiting, (self._now_s + pause_s, number, attempt, pause_s))

    def call(self) -> bool:
        """Count a call and return whether it was served."""
        tally = self.tally
        tally.calls += 1
        tally.seconds[int(self._now_s)] += 1
        since_s = self._now_s - self._server.outage.outage_s
        if since_s < 0.0:
            tally.calls_in_outage += 1
            return False
        tally.crowds[int(since_s / PEAK_OF_S)] += 1
        if not self._server.serves(self._now_s):
            return False
        tally.served_s.append(since_s)
        return True


def by_policy(policy: RetryPolicy) -> Wait:
    """Return the engine's own wait under `policy`."""

    def wait(attempt: int, previous_s: float, random: Random) -> float:
        return wait_s(policy, attempt=attempt, previous_s=previous_s, random=random)

    return wait


def in_whole_seconds(bounds: RetryPolicy) -> Wait:
    """Return full jitter as Celery rounds it: a whole number of seconds from 0 to the bound of `bounds`."""

    def wait(attempt: int, previous_s: float, random: Random) -> float:
        bound_s = wait_s(bounds, attempt=attempt, previous_s=previous_s, random=random)
        return float(random.randrange(int(bound_s) + 1))

    return wait
