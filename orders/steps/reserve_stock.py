"""Hold the stock that orders need: all of an order's lines or none."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from orders import store
from orders.store import Want
from resilience.saga.definition import Run
from resilience.saga.outcomes import Done, Outcome, Refused

INSUFFICIENT_STOCK = "insufficient_stock"


def reserve_stock(runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
    """Reserve for each order in turn; one that cannot be served in full is refused and takes nothing."""
    wants = store.wants_of([run.key for run in runs])
    available = store.lock_available({want.sku for want in wants})
    granted = allocate(available, wants, first_come=[run.key for run in runs])
    store.reserve([want for want in wants if want.order_id in granted])
    return {run.id: Done() if run.key in granted else Refused(INSUFFICIENT_STOCK) for run in runs}


def allocate(available: Mapping[str, int], wants: Sequence[Want], *, first_come: Sequence[UUID]) -> set[UUID]:
    """Return the orders that `available` serves in full, first come first served.

    `available` is pieces by SKU; a SKU that is missing has none.
    """
    left = dict(available)
    by_order: dict[UUID, list[Want]] = {order_id: [] for order_id in first_come}
    for want in wants:
        by_order[want.order_id].append(want)
    granted: set[UUID] = set()
    for order_id, needed in by_order.items():
        if all(left.get(want.sku, 0) >= want.quantity for want in needed):
            granted.add(order_id)
            for want in needed:
                left[want.sku] -= want.quantity
    return granted
