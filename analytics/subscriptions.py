"""What analytics listens to."""

from analytics.projections import count_orders
from resilience.events import Subscription, subscribe

ORDERS_PER_MINUTE = subscribe(
    Subscription(
        name="analytics.orders_per_minute",
        types=("order.placed", "order.confirmed", "order.cancelled"),
        handle=count_orders,
    )
)
