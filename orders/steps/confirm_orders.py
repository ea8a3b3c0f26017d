"""Confirm orders whose money was taken, and sell them the stock that they hold."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from orders import store
from orders.events import OrderConfirmed
from resilience.events import Fact, append
from resilience.saga.definition import Run
from resilience.saga.outcomes import Done, Outcome


def confirm_orders(runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
    """Confirm each order. Raises AssertionError when one is in no state to be confirmed."""
    moved = store.confirm([run.key for run in runs], now=runs[0].now)
    if len(moved) != len(runs):
        raise AssertionError(f"{len(runs) - len(moved)} paid orders were in no state to be confirmed")
    append(
        [
            Fact(
                order.id,
                OrderConfirmed(order.id, order.client, order.currency, order.total_minor),
                order.client,
            )
            for order in moved
        ],
        occurred_at=runs[0].now,
    )
    return {run.id: Done() for run in runs}
