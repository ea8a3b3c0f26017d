"""Requests of the orders API turned into what the services take."""

from datetime import datetime
from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from orders.api.shapes import OrderRequest
from orders.services.place_order import LineDraft, OrderDraft, PaymentDraft
from payments.public import MethodType
from resilience.apikeys.authentication import principal_of
from resilience.rest.errors import invalid_field

# History may be brought in only by those who may say what things cost and when they happened.
IMPORT = "orders.import"


def read_order(request: Request, *, now: datetime) -> OrderDraft:
    """Return the order that the body asks for.

    Raises InvalidRequest, also for a time to come, and PermissionDenied for prices or a time of the
    client's own without the permission `orders.import`.
    """
    asked = OrderRequest.read(request.data)
    own_prices = any("unit_price" in line for line in asked["lines"])
    if (own_prices or "placed_at" in asked) and IMPORT not in principal_of(request).permissions:
        raise PermissionDenied(f"`unit_price` and `placed_at` need the permission {IMPORT}. Leave them out.")
    if "placed_at" in asked and asked["placed_at"] > now:
        raise invalid_field("/placed_at", code="max_value", detail="Send a time that has passed.")
    customer: dict[str, Any] = asked["customer"]
    return OrderDraft(
        customer_reference=customer["reference"],
        customer_email=customer.get("email", ""),
        currency=asked["currency"],
        lines=tuple(
            LineDraft(line["sku"], line["quantity"], line.get("unit_price")) for line in asked["lines"]
        ),
        payments=tuple(
            PaymentDraft(payment["method"], payment.get("amount"), _method_type(payment, position))
            for position, payment in enumerate(asked["payments"])
        ),
        shipping_minor=asked["shipping"],
        metadata=asked.get("metadata", {}),
        placed_at=asked.get("placed_at"),
    )


def _method_type(payment: dict[str, Any], position: int) -> MethodType | None:
    named = payment.get("type")
    if named is None:
        return None
    if named not in set(MethodType):
        raise invalid_field(
            f"/payments/{position}/type", code="invalid", detail=f"Send one of {', '.join(MethodType)}."
        )
    return MethodType(named)
