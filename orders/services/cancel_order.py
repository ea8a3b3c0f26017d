"""Cancel an order at any time: its money goes back and its stock is released."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from orders.errors import OrderNotFoundError
from orders.models import Order
from orders.sagas import CANCEL_ORDER, PLACE_ORDER
from orders.states import OrderStatus
from resilience.saga.start import request_abort, start


def cancel_order(*, client: str, order_id: UUID, now: datetime) -> bool:
    """Begin to cancel an order; return False when it is cancelled already.

    A placement that has not reached its pivot turns round; one that has is finished and refunded.
    Asked twice, it does the same as asked once. Raises OrderNotFoundError.
    """
    with transaction.atomic():
        # Not locked: a worker locks the saga first and then the order, so the saga row decides.
        order = Order.objects.filter(client=client, pk=order_id).only("status").first()
        if order is None:
            raise OrderNotFoundError(f"There is no order {order_id}.")
        if order.status == OrderStatus.CANCELLED:
            return False
        request_abort(PLACE_ORDER, business_key=order_id)
        start(CANCEL_ORDER, business_key=order_id, data={"reason": "cancel_requested"}, now=now)
    return True
