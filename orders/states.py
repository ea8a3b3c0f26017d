"""The states of an order and of a reservation, and the moves between them."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """What a client sees of an order."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    CONFIRMED = "confirmed"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


EDGES: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset(
        {OrderStatus.REQUIRES_ACTION, OrderStatus.CONFIRMED, OrderStatus.CANCELLED}
    ),
    OrderStatus.REQUIRES_ACTION: frozenset({OrderStatus.CONFIRMED, OrderStatus.CANCELLED}),
    OrderStatus.CONFIRMED: frozenset(
        {OrderStatus.PARTIALLY_REFUNDED, OrderStatus.REFUNDED, OrderStatus.CANCELLED}
    ),
    # A refund may come back from the payer's bank: then less is refunded than was.
    OrderStatus.PARTIALLY_REFUNDED: frozenset(
        {OrderStatus.CONFIRMED, OrderStatus.REFUNDED, OrderStatus.CANCELLED}
    ),
    OrderStatus.REFUNDED: frozenset(
        {OrderStatus.CONFIRMED, OrderStatus.PARTIALLY_REFUNDED, OrderStatus.CANCELLED}
    ),
    OrderStatus.CANCELLED: frozenset(),
}

SOLD = frozenset({OrderStatus.CONFIRMED, OrderStatus.PARTIALLY_REFUNDED, OrderStatus.REFUNDED})
SETTLED = SOLD | {OrderStatus.CANCELLED}


class ReservationStatus(StrEnum):
    """HELD takes stock away from others; it ends once, as COMMITTED (sold) or RELEASED."""

    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"
