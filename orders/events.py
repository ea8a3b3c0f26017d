"""What the orders context tells the world. Facts, in the past tense, as they were then."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from resilience.events import event_type


@dataclass(frozen=True)
class Line:
    """One line of an order at the price of the moment it was placed."""

    sku: str
    quantity: int
    unit_price_minor: int
    total_minor: int


@event_type("product.changed", version=1, aggregate="product")
@dataclass(frozen=True)
class ProductChanged:
    """A product came into the catalogue, or its name or price changed. Stock is not told of."""

    sku: str


@event_type("order.placed", version=1, aggregate="order")
@dataclass(frozen=True)
class OrderPlaced:
    """An order was accepted; from now on it is never lost."""

    order_id: UUID
    client: str
    customer_reference: str
    currency: str
    shipping_minor: int
    total_minor: int
    lines: tuple[Line, ...]
    placed_at: datetime


@event_type("order.confirmed", version=1, aggregate="order")
@dataclass(frozen=True)
class OrderConfirmed:
    """The money of the order was taken and its stock is sold."""

    order_id: UUID
    client: str
    currency: str
    total_minor: int


@event_type("order.refunded", version=1, aggregate="order")
@dataclass(frozen=True)
class OrderRefunded:
    """A part or all of a sold order's money went back; `refunded_minor` is what is back in all, now."""

    order_id: UUID
    client: str
    currency: str
    total_minor: int
    refunded_minor: int


@event_type("order.cancelled", version=1, aggregate="order")
@dataclass(frozen=True)
class OrderCancelled:
    """The order ended without a sale; its money was returned and its stock released.

    `was_confirmed` tells a sale that was taken back from one that never came about.
    """

    order_id: UUID
    client: str
    currency: str
    total_minor: int
    reason: str
    was_confirmed: bool
