"""Put a product into the catalogue, or change its name and price."""

from dataclasses import dataclass
from datetime import datetime

from orders.models import Product


@dataclass(frozen=True)
class Put:
    """The product as it stands, and whether it is new."""

    product: Product
    is_new: bool


def put_product(*, sku: str, name: str, price_minor: int, currency: str, now: datetime) -> Put:
    """Write the product; its stock stays as it is, none for a new one.

    Orders that were placed keep the price of their moment.
    """
    product, is_new = Product.objects.update_or_create(
        sku=sku,
        defaults={"name": name, "price_minor": price_minor, "currency": currency, "updated_at": now},
    )
    return Put(product, is_new)
