"""Count stock in or out."""

from django.db import IntegrityError, transaction
from django.db.models import F

from orders.errors import ProductNotFoundError, StockBelowReservedError
from orders.models import Product


def adjust_stock(*, sku: str, by: int) -> Product:
    """Add `by` pieces (negative: take out) to the stock on hand and return the product.

    Raises ProductNotFoundError, and StockBelowReservedError when orders hold more than would be left.
    """
    try:
        with transaction.atomic():
            found = Product.objects.filter(sku=sku).update(on_hand=F("on_hand") + by)
    except IntegrityError as error:
        raise StockBelowReservedError(
            f"Fewer than {-by} pieces of {sku} are free. Wait for orders to end, or take out less."
        ) from error
    if not found:
        raise ProductNotFoundError(f"There is no product {sku}.")
    return Product.objects.using("default").get(sku=sku)
