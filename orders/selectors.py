"""Reads of orders and the catalogue. Whether a replica may answer is the caller's scope to say."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
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


def order_exists(client: str, order_id: UUID) -> bool:
    """Tell whether this is a client's order."""
    return Order.objects.filter(client=client, pk=order_id).exists()


def clients_of(order_ids: Collection[UUID]) -> dict[UUID, str]:
    """Return whose these orders are, by order, as the primary knows it."""
    rows = Order.objects.using("default").filter(pk__in=order_ids)
    return dict(rows.values_list("pk", "client")) if order_ids else {}


def filtered_orders(
    client: str,
    *,
    status: str | None,
    customer_reference: str | None,
    placed_after: datetime | None,
    placed_before: datetime | None,
    before: UUID | None,
) -> QuerySet[Order]:
    """Return a client's orders, newest accepted first; None does not filter.

    `placed_after` is included, `placed_before` is not; `before` is where the last page ended.
    """
    conditions = {
        "status": status,
        "customer_reference": customer_reference,
        "placed_at__gte": placed_after,
        "placed_at__lt": placed_before,
        "pk__lt": before,
    }
    given = {name: value for name, value in conditions.items() if value is not None}
    return orders_of(client).filter(**given).order_by("-pk")


def products(*, after: str | None) -> QuerySet[Product]:
    """Return the catalogue by SKU, from behind `after`."""
    rows = Product.objects.order_by("sku")
    return rows if after is None else rows.filter(sku__gt=after)


def product_of(sku: str) -> Product | None:
    """Return a product, None when there is none."""
    return Product.objects.filter(pk=sku).first()
