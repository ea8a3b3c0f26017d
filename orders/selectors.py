"""Reads of orders and the catalogue. Whether a replica may answer is the caller's scope to say."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from orders.models import Order, Product


@dataclass(frozen=True)
class Offer:
    """What the catalogue says of a product at this moment."""

    sku: str
    name: str
    price_minor: int
    currency: str


def offers_of(skus: Collection[str]) -> dict[str, Offer]:
    """Return the offers for those of `skus` that exist, from the primary: a price is a money decision."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sku, name, price_minor, currency FROM orders_product WHERE sku = ANY(%s)", [list(skus)]
        )
        return {row[0]: Offer(*row) for row in cursor.fetchall()}


def orders_of(client: str) -> QuerySet[Order]:
    """Return a client's orders with their lines."""
    return Order.objects.filter(client=client).prefetch_related("lines")


def order_of(client: str, order_id: UUID) -> Order | None:
    """Return a client's order with its lines, None when it is nobody's or somebody else's."""
    return orders_of(client).filter(pk=order_id).first()


def products() -> QuerySet[Product]:
    """Return the catalogue."""
    return Product.objects.order_by("sku")
