"""Many clients update one row under optimistic concurrency: who backs off how, and what it costs.

The classic experiment of Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), with the
constants of its simulator (aws-samples/aws-arch-backoff-simulator); the code is ours, and the waits are the
engine's own. A client reads the row's version, writes with it, and after a conflict waits and begins again,
until one write succeeds. It models contention: the server never fails and has no limit.
"""

import heapq
from dataclasses import dataclass
from random import Random

from resilience.retry.policy import RetryPolicy
from resilience.retry.waits import wait_s

# Each of the four ways of one try takes |N(10, 2)| ms.
WAY_MEAN_S = 0.010
WAY_DEVIATION_S = 0.002

# The simulator begins at base * 2**1 with base 5 ms, but decorrelated jitter at base itself.
WAIT_INITIAL_S = 0.010
WAIT_INITIAL_DECORRELATED_S = 0.005
WAIT_MAX_S = 2.0


@dataclass(frozen=True)
class Contention:
    """What it took until the last client was done: simulated seconds, and writes tried."""

    completed_s: float
    writes: int


@dataclass
class _Client:
    """`seen` is the version that it read last; None: its next message is a read."""

    seen: int | None = None
    attempt: int = 0
    waited_s: float = 0.0


def contend(*, clients: int, policy: RetryPolicy | None, random: Random) -> Contention:
    """Let `clients` begin at once and return what it took. `policy` None: try again without waiting."""
    fleet = [_Client() for _ in range(clients)]
    # When a message reaches the row, and whose it is.
    arrivals = [(_way_s(random), number) for number in range(clients)]
    heapq.heapify(arrivals)
    version = writes = 0
    completed_s = 0.0
    while arrivals:
        now_s, number = heapq.heappop(arrivals)
        client = fleet[number]
        back_s = now_s + _way_s(random)
        if client.seen is None:
            client.seen = version
            heapq.heappush(arrivals, (back_s + _way_s(random), number))
            continue
        writes += 1
        if client.seen == version:
            version += 1
            completed_s = max(completed_s, back_s)
            continue
        client.seen = None
        heapq.heappush(arrivals, (back_s + _pause_s(client, policy, random) + _way_s(random), number))
    return Contention(completed_s, writes)


def _pause_s(client: _Client, policy: RetryPolicy | None, random: Random) -> float:
    client.attempt += 1
    if policy is not None:
        client.waited_s = wait_s(policy, attempt=client.attempt, previous_s=client.waited_s, random=random)
    return client.waited_s


def _way_s(random: Random) -> float:
    return abs(random.normalvariate(WAY_MEAN_S, WAY_DEVIATION_S))
