"""Say on orders that they ended without a sale, once their money and stock are back."""

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

from orders import store
from orders.events import OrderCancelled
from orders.store import Moved
from payments.public import end_unsent_payments
from resilience.events import Fact, append
from resilience.saga.definition import Run
from resilience.saga.outcomes import Done, Outcome

COULD_NOT_BE_COMPLETED = "could_not_be_completed"
_CODE = re.compile(r"[a-z][a-z0-9_]*")


def close_orders(runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
    """Cancel each order for its saga's reason; one that is cancelled already stays as it is."""
    now = runs[0].now
    reasons = {run.key: _code(run) for run in runs}
    end_unsent_payments(order_ids=[run.key for run in runs], now=now)
    moved = store.cancel(reasons, now=now)
    if moved:
        append(
            [Fact(order.id, _cancelled(order, reasons[order.id]), order.client) for order in moved],
            occurred_at=now,
        )
    return {run.id: Done() for run in runs}


def _code(run: Run) -> str:
    """Return why an order ended, as clients may know it; what went wrong inside is for operators."""
    reason = run.reason or str(run.data.get("reason", ""))
    return reason if _CODE.fullmatch(reason) else COULD_NOT_BE_COMPLETED


def _cancelled(order: Moved, reason: str) -> OrderCancelled:
    return OrderCancelled(
        order_id=order.id,
        client=order.client,
        currency=order.currency,
        total_minor=order.total_minor,
        reason=reason,
        was_confirmed=order.was_confirmed,
    )
