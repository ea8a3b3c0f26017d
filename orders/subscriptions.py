"""What orders listen to: refunds, which payments make without asking them."""

from collections.abc import Sequence
from uuid import UUID

from orders import store
from orders.events import OrderRefunded
from payments.public import refunded_of
from resilience.events import Event, Fact, Subscription, append, subscribe


def show_refunds(events: Sequence[Event]) -> None:
    """Bring the status of the events' orders in line with what is refunded of them in all."""
    refunded_minor = refunded_of(order_ids=sorted({UUID(str(event.data["order_id"])) for event in events}))
    moved = store.show_refunds(refunded_minor)
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
                        refunded_minor=refunded_minor[order.id],
                    ),
                )
                for order in moved
            ],
            occurred_at=max(event.occurred_at for event in events),
        )


REFUNDS = subscribe(
    Subscription(
        name="orders.refunds",
        # Confirmed too: a refund may have been made before its order was confirmed.
        types=("payment.refunded", "payment.refund_failed", "order.confirmed"),
        handle=show_refunds,
    )
)
