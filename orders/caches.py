"""What the orders context keeps in the cache: whose, under which keys, for how long, and what voids it.

Nothing that decides about money or stock reads it: checkout asks the primary (orders/selectors.py).
"""

from orders.states import SETTLED
from resilience.caching import Lifetime, Namespace, declare

# The client is a part of the key, so that no client is ever answered with another's order.
ORDERS = declare(
    Namespace(
        name="order",
        owner="orders",
        keyed_by=("client", "order id"),
        voided_by=(
            "order.confirmed",
            "order.refunded",
            "order.cancelled",
            "payment.authorized",
            "payment.action_required",
            "payment.processing",
            "payment.declined",
            "payment.captured",
            "payment.voided",
            "payment.refunded",
            "payment.refund_failed",
            "payment.disputed",
            "payment.dispute_closed",
        ),
        not_told="that a payment is in doubt, and that a refund was asked for",
        version=1,
    )
)
PRODUCTS = declare(
    Namespace(
        name="product",
        owner="orders",
        keyed_by=("sku",),
        voided_by=("product.changed",),
        not_told="stock that orders take and give back: it is an indication, and counted when it is taken",
        version=1,
    )
)
PRODUCT_PAGES = declare(
    Namespace(
        name="product_page",
        owner="orders",
        # Its cursor is signed for one client.
        keyed_by=("client", "after", "limit"),
        voided_by=(),
        not_told="every change of a product: a page lives for two seconds",
        version=1,
    )
)

# Changes are told. `grace` is what a reader may see late of what is not; `hard` what a dead database leaves.
RESTING = Lifetime(soft_s=30.0, grace_s=60.0, hard_s=3600.0)
# Doubled, buyers see twice as old a stock; halved, a busy product is read from the database twice as often.
SHOWN = Lifetime(soft_s=2.0, grace_s=4.0, hard_s=3600.0)
# Short, so that names that do not exist cannot fill Redis, and one that now exists is soon there.
UNKNOWN = Lifetime(soft_s=2.0, grace_s=2.0, hard_s=2.0)


def lifetime_of_order(status: str) -> Lifetime | None:
    """Return for how long an order is kept that stands so; None, not at all, while it moves.

    Who polls an order waits for its end, and should not see it later than it is.
    """
    return RESTING if status in SETTLED else None
