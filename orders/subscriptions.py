"""What orders listen to: refunds, which payments make without asking them; and what voids the cache."""

from collections.abc import Sequence
from uuid import UUID

from orders import store
from orders.caches import ORDERS, PRODUCTS
from orders.events import OrderRefunded
from orders.selectors import clients_of
from payments.public import refunded_of
from resilience.caching import void
from resilience.events import Event, Fact, Subscription, append, subscribe
from resilience.events.subscription import LARGE_BATCH
from resilience.retry import RetryPolicy


def show_refunds(events: Sequence[Event]) -> None:
    """Bring the events' orders in line with what is refunded of them in all, and tell of each change."""
    order_ids = sorted({UUID(str(event.data["order_id"])) for event in events})
    store.lock(order_ids)
    moved = store.show_refunds(refunded_of(order_ids=order_ids))
    if moved:
        append(
            [
                Fact(
                    order.id,
                    OrderRefunded(
                        order_id=order.id,
                        client=order.client,
                        currency=order.currency,
                        total_minor=order.total_minor,
                        refunded_minor=order.refunded_minor,
                    ),
                    order.client,
                )
                for order in moved
            ],
            occurred_at=max(event.occurred_at for event in events),
        )


def void_cached(events: Sequence[Event]) -> None:
    """Void what is cached of the events' orders and products. Writes nothing to the database.

    Raises InvalidationFailedError while Redis is away: then the subscription waits and tries again.
    """
    order_ids = {UUID(str(event.data["order_id"])) for event in events if "order_id" in event.data}
    skus = {str(event.data["sku"]) for event in events if event.type in PRODUCTS.voided_by}
    void(
        [
            *((ORDERS, ORDERS.key(client, order_id)) for order_id, client in clients_of(order_ids).items()),
            *((PRODUCTS, PRODUCTS.key(sku)) for sku in sorted(skus)),
        ]
    )


# Redis may be away for long, and no void may be missed while a value lives that it is meant for: an hour
# (orders/caches.py). These attempts last more than two hours.
_UNTIL_REDIS_IS_BACK = RetryPolicy(wait_initial_s=0.2, wait_max_s=2.0, attempts_max=10_000)

REFUNDS = subscribe(
    Subscription(
        name="orders.refunds",
        # Confirmed too: a refund may have been made before its order was confirmed.
        types=("payment.refunded", "payment.refund_failed", "order.confirmed"),
        handle=show_refunds,
        batch_size=LARGE_BATCH,
        is_replayable=True,
    )
)

CACHE = subscribe(
    Subscription(
        name="orders.cache",
        types=(*ORDERS.voided_by, *PRODUCTS.voided_by),
        handle=void_cached,
        batch_size=LARGE_BATCH,
        start="now",
        retry=_UNTIL_REDIS_IS_BACK,
        is_replayable=True,
    )
)
