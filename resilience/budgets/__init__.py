"""The retry budgets of this process, one a dependency, and what the fleet has spent (docs/retries.md)."""

from resilience.budgets.fleet import FleetSpending
from resilience.budgets.registry import all_budgets, budget_of

__all__ = ["FleetSpending", "all_budgets", "budget_of"]
