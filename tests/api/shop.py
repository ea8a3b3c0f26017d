"""A storefront's back end as the tests of the orders API play it."""

import json
from typing import Any
from uuid import uuid4

from django.db import connection

from tests.api.foundation import Caller
from tests.orders_kit import SKU

ORDERS = "/api/v1/orders"
PRODUCTS = "/api/v1/products"
PAYMENTS = "/api/v1/payments"
STOREFRONT = ("orders.read", "orders.write", "payments.read", "payments.refund")
IMPORTER = (*STOREFRONT, "orders.import")
EVERYTHING = (
    *IMPORTER,
    "catalogue.write",
    "events.read",
    "ledger.read",
    "ledger.reconcile",
    "reports.read",
    "webhooks.read",
    "webhooks.write",
)

# Everything that a request can write, but for the idempotency records.
TABLES = (
    "orders_order",
    "orders_order_line",
    "orders_reservation",
    "orders_product",
    "payments_payment",
    "payments_operation",
    "payments_refund",
    "resilience_saga",
    "resilience_saga_step",
    "resilience_event",
)


class Shop(Caller):
    """A caller that knows how to order."""

    def __init__(self, *, client: str = "shop", permissions: tuple[str, ...] = STOREFRONT) -> None:
        super().__init__(client=client, permissions=permissions)

    def order(self, body: object = None, *, key: str | None = None, **headers: str) -> Any:
        """Post an order, a valid one by default, under a fresh key by default."""
        return self.post(
            ORDERS,
            order_body() if body is None else body,
            idempotency_key=uuid4().hex if key is None else key,
            **headers,
        )

    def refund(
        self, payment_id: object, body: object = b"", *, key: str | None = None, **headers: str
    ) -> Any:
        """Ask for a refund, of all that is left by default, under a fresh key by default."""
        path = f"{PAYMENTS}/{payment_id}/refunds"
        return self.post(path, body, idempotency_key=uuid4().hex if key is None else key, **headers)

    def generic(
        self, method: str, path: str, body: bytes, *, content_type: str = "application/json", **headers: str
    ) -> Any:
        """Send these bytes as they are."""
        return self._http.generic(
            method, path, body, content_type=content_type, headers=self._headers(headers)
        )

    def put(self, path: str, body: object, **headers: str) -> Any:
        return self._http.put(
            path, json.dumps(body).encode(), content_type="application/json", headers=self._headers(headers)
        )


def order_body(**changes: object) -> dict[str, Any]:
    """Return the request for one piece of `orders_kit.SKU`, with other fields where told."""
    return {
        "customer": {"reference": "customer-1"},
        "currency": "EUR",
        "lines": [{"sku": SKU, "quantity": 1}],
        "payments": [{"method": "pm_card_visa"}],
        **changes,
    }


def rows_written() -> dict[str, int]:
    """Count the rows of every table that an order touches."""
    return _counts(TABLES)


def answers_stored() -> int:
    return _counts(("resilience_idempotencyrecord",))["resilience_idempotencyrecord"]


def _counts(tables: tuple[str, ...]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in tables))
        return dict(zip(tables, cursor.fetchone(), strict=True))
