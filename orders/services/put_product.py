"""Put a product into the catalogue, or change its name and price."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction

from orders.events import ProductChanged
from orders.models import Product
from resilience.events import Fact, append

# Aggregates of events are UUIDs, products are known by their SKU.
_PRODUCTS = UUID("5f0a3f5e-6d0c-5d0e-9a40-0c4f7b1d2a11")


@dataclass(frozen=True)
class Put:
    """The product as it stands, and whether it is new."""

    product: Product
    is_new: bool


def put_product(*, sku: str, name: str, price_minor: int, currency: str, now: datetime) -> Put:
    """Write the product; its stock stays as it is, none for a new one.

    Orders that were placed keep the price of their moment.
    """
    with transaction.atomic():
        product, is_new = Product.objects.update_or_create(
            sku=sku,
            defaults={"name": name, "price_minor": price_minor, "currency": currency, "updated_at": now},
        )
        append([Fact(uuid5(_PRODUCTS, sku), ProductChanged(sku))], occurred_at=now)
    return Put(product, is_new)
