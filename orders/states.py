"""The states of an order and of a reservation, and the moves between them."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """What a client sees of an order."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


EDGES: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset(
        {OrderStatus.REQUIRES_ACTION, OrderStatus.CONFIRMED, OrderStatus.CANCELLED}
    ),
    OrderStatus.REQUIRES_ACTION: frozenset({OrderStatus.CONFIRMED, OrderStatus.CANCELLED}),
    OrderStatus.CONFIRMED: frozenset({OrderStatus.CANCELLED}),
    OrderStatus.CANCELLED: frozenset(),
}

SETTLED = frozenset({OrderStatus.CONFIRMED, OrderStatus.CANCELLED})


class ReservationStatus(StrEnum):
    """HELD takes stock away from others; it ends once, as COMMITTED (sold) or RELEASED."""

    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"
