"""What the fleet has spent on retries in vain: told and asked on the pulse, in Redis counters."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio.client import Pipeline

from resilience import pulse
from resilience.budgets.registry import all_budgets
from resilience.retry.budget import Tally
from resilience.telemetry import counter

# Three slices of time are looked at, so that between 10 and 15 s count. Shorter, and a quiet dependency never
# reaches the number that says something; longer, and the retries that end an outage wait for its memory.
SLICE_S = 5
SLICES = 3
# A slice that nobody adds to any more is of no use after the last look at it; clocks may differ.
_KEPT_S = 60


class FleetSpending(pulse.Member):
    """Tells every budget of this process whether the fleet has overspent; alone, none has.

    What was told into silence is not told again: it may have been heard.
    """

    name = "retry_budgets"

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._asked: list[str] = []
        self._commands_before = 0

    def queue(self, pipeline: Pipeline) -> None:
        """Add what was spent since the last beat, and ask for what all have spent lately."""
        now_slice = int(self._clock()) // SLICE_S
        budgets = all_budgets()
        self._commands_before = 0
        for dependency, budget in budgets.items():
            tally = budget.take_tally()
            if tally.calls:
                counter("budget_calls_total", dependency=dependency).add(tally.calls)
                counter("budget_retries_wasted_total", dependency=dependency).add(tally.wasted)
                key = _key(dependency, now_slice)
                pipeline.hincrby(key, "calls", tally.calls)
                pipeline.hincrby(key, "wasted", tally.wasted)
                pipeline.expire(key, _KEPT_S)
                self._commands_before += 3
        self._asked = list(budgets)
        for dependency in self._asked:
            for age in range(SLICES):
                pipeline.hmget(_key(dependency, now_slice - age), ["calls", "wasted"])

    def hear(self, replies: Sequence[Any]) -> None:
        """Tell the budgets."""
        spent: Counter[str] = Counter()
        wasted: Counter[str] = Counter()
        asked = [dependency for dependency in self._asked for _slice in range(SLICES)]
        for dependency, (calls, vain) in zip(asked, replies[self._commands_before :], strict=True):
            spent[dependency] += int(calls or 0)
            wasted[dependency] += int(vain or 0)
        budgets = all_budgets()
        for dependency in self._asked:
            if dependency in budgets:
                tally = Tally(spent[dependency], wasted[dependency])
                budgets[dependency].is_fleet_overspent = tally.is_overspent

    def miss_redis(self) -> None:
        """Let each process's own budget decide."""
        for budget in all_budgets().values():
            budget.is_fleet_overspent = False


def _key(dependency: str, time_slice: int) -> str:
    return f"hf:retry:{dependency}:{time_slice}"


# What this process tells and hears.
SPENDING = FleetSpending()
pulse.join(SPENDING)
