"""The budgets of this process, by dependency."""

import os
import time
from collections.abc import Mapping

from resilience import pulse
from resilience.retry import Budget

# Module state, because what it counts are the calls of this process.
_budgets: dict[str, Budget] = {}


def budget_of(dependency: str) -> Budget:
    """Return the one budget of this process for `dependency`, say a gateway account."""
    try:
        return _budgets[dependency]
    except KeyError:
        pulse.ensure_running()
        return _budgets.setdefault(dependency, Budget(monotonic=time.monotonic))


def all_budgets() -> Mapping[str, Budget]:
    """Return the budgets that were asked for so far."""
    return dict(_budgets)


def forget() -> None:
    """Begin anew: with full budgets, counting nothing. For a forked child, and for tests."""
    _budgets.clear()


# A fork may copy a lock while it is held.
os.register_at_fork(after_in_child=forget)
