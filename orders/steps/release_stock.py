"""Give back the stock that orders hold or have bought."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from orders import store
from resilience.saga.definition import Run
from resilience.saga.outcomes import Done, Outcome


def release_stock(runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
    """Release what is left of each order's reservations; done twice, it does nothing."""
    store.release([run.key for run in runs])
    return {run.id: Done() for run in runs}
