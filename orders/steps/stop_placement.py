"""Wait until an order's placement has ended, one way or the other, before anything is undone."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from resilience.saga.definition import Run
from resilience.saga.outcomes import Done, Failed, Outcome
from resilience.saga.query import statuses_of
from resilience.saga.states import TERMINAL

# By name: the definition of `place_order` lists services, so they cannot import it.
PLACE_ORDER = "place_order"


def stop_placement(runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
    """Done for an order whose placement was compensated or completed; the others come back soon."""
    statuses = statuses_of(PLACE_ORDER, business_keys=[run.key for run in runs])
    return {
        run.id: Done()
        if statuses[run.key] in TERMINAL
        else Failed(f"placement is {statuses[run.key]}", spends_attempt=False)
        for run in runs
    }
