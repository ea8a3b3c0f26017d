"""Orders and products as answers that are kept: how each is read, and under which key."""

from uuid import UUID

from orders.api import representations
from orders.caches import (
    ORDERS,
    PRODUCT_PAGES,
    PRODUCTS,
    SHOWN,
    UNKNOWN,
    lifetime_of_order,
)
from orders.errors import OrderNotFoundError
from orders.selectors import order_of, product_of, products
from payments.public import payments_of
from resilience.caching import Loaded
from resilience.rest.kept import Kept
from resilience.rest.pagination import PageRequest, page_of_rows
from resilience.rest.rendering import to_json
from resilience.routing.scope import primary_only


def order_document(client: str, order_id: UUID) -> representations.Json:
    """Return an order as it stands; raises OrderNotFoundError."""
    document = _order_document(client, order_id)
    if document is None:
        raise OrderNotFoundError(f"There is no order {order_id}.")
    return document


def kept_order(client: str, order_id: UUID) -> Kept:
    """Return a client's order as it is kept. That there is none is not: ids of nobody have no end."""

    def load() -> Loaded:
        document = _order_document(client, order_id)
        if document is None:
            return Loaded(None, None)
        return Loaded(to_json(document).encode(), lifetime_of_order(document["status"]))

    return Kept(ORDERS, ORDERS.key(client, order_id), load)


def kept_product(client: str, sku: str) -> Kept:
    """Return a product as it is kept: one for all clients."""

    def load() -> Loaded:
        row = product_of(sku)
        if row is None:
            with primary_only():
                row = product_of(sku)
        if row is None:
            return Loaded(None, UNKNOWN)
        return Loaded(to_json(representations.product(row)).encode(), SHOWN)

    return Kept(PRODUCTS, PRODUCTS.key(sku), load)


def kept_product_page(client: str, wanted: PageRequest) -> Kept:
    """Return a page of the catalogue as it is kept."""

    def load() -> Loaded:
        rows = products(after=wanted.after)[: wanted.rows_wanted]
        page = page_of_rows(
            rows, wanted=wanted, represent=representations.product, identify=lambda row: row.sku
        )
        return Loaded(to_json(page).encode(), SHOWN)

    return Kept(PRODUCT_PAGES, PRODUCT_PAGES.key(client, wanted.after or "", wanted.limit), load)


def _order_document(client: str, order_id: UUID) -> representations.Json | None:
    """Return an order, None when there is none; only the primary may say so, since a replica lags."""
    row = order_of(client, order_id)
    if row is not None:
        return representations.order(row, payments_of(order_ids=[order_id])[order_id])
    with primary_only():
        row = order_of(client, order_id)
        if row is None:
            return None
        return representations.order(row, payments_of(order_ids=[order_id])[order_id])
