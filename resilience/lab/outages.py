"""Parts that fail and are repaired at random, and what an order sees of them.

Each part is up for an exponential time and down for another (the alternating renewal process of reliability
theory), so that in the long run it is up for `availability` of the time.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from resilience.retry.policy import RetryPolicy
from resilience.retry.waits import wait_s


@dataclass(frozen=True)
class Part:
    """When it changes: up from 0 to the first moment, down to the second, and so on; up after the last."""

    changes_s: tuple[float, ...]

    def is_up(self, at_s: float) -> bool:
        """Whether it works at this moment."""
        return bisect_right(self.changes_s, at_s) % 2 == 0


def draw_part(*, availability: float, repair_s: float, until_s: float, random: Random) -> Part:
    """Return a part that is repaired in `repair_s` on average. `availability` 1 never fails."""
    if availability == 1.0:
        return Part(())
    up_s = repair_s * availability / (1.0 - availability)
    changes_s: list[float] = []
    now_s = 0.0
    while now_s < until_s:
        now_s += random.expovariate(1.0 / up_s)
        changes_s.append(now_s)
        now_s += random.expovariate(1.0 / repair_s)
        changes_s.append(now_s)
    return Part(tuple(changes_s))


def settle(
    *, placed_s: float, parts: Sequence[Part], database: Part, policy: RetryPolicy, random: Random
) -> float:
    """Return how long after `placed_s` the last step was done, one step per part, as the saga engine goes.

    A step is done at once when its part and the database are up; else it is tried again after a wait of
    `policy`, whose attempts begin anew with each step.
    """
    now_s = placed_s
    for part in parts:
        attempt, waited_s = 1, 0.0
        while not (part.is_up(now_s) and database.is_up(now_s)):
            waited_s = wait_s(policy, attempt=attempt, previous_s=waited_s, random=random)
            now_s += waited_s
            attempt += 1
    return now_s - placed_s


def coupled_availability(*, parts: int, availability: float, database: float) -> float:
    """Return the share of requests that find the database and all parts up at once."""
    return database * availability**parts


def settled_within(*, limit_s: float, parts: int, availability: float, repair_s: float) -> float:
    """Return the share of accepted orders that have settled after `limit_s`, were each repair seen at once.

    Each step finds its part down with 1 - availability, and then waits an exponential rest of the repair, so
    k waits add up to Erlang's distribution. The database is taken as up: it is an upper bound.
    """
    return sum(
        math.comb(parts, waits)
        * (1.0 - availability) ** waits
        * availability ** (parts - waits)
        * _erlang(waits, limit_s / repair_s)
        for waits in range(parts + 1)
    )


def _erlang(waits: int, repairs: float) -> float:
    """Return the chance that `waits` repairs of mean 1 end within `repairs`."""
    return 1.0 - math.exp(-repairs) * sum(repairs**k / math.factorial(k) for k in range(waits))
