"""The shapes of the orders API: what requests may say, and what answers say (for the schema)."""

import re
from typing import Any

from rest_framework import serializers

from orders.states import OrderStatus
from payments.money import AMOUNT_MINOR_MAX, EXPONENTS
from resilience.rest.card_numbers import holds_card_number
from resilience.rest.errors import CardNumberRefused, invalid_field
from resilience.rest.fields import CurrencyCode, Metadata, StrictInteger, StrictList, StrictString, Timestamp
from resilience.rest.serializers import StrictSerializer

# What one order may carry; more would make one request a batch job.
LINES_MAX = 100
PAYMENTS_MAX = 10
QUANTITY_MAX = 1_000_000
STOCK_MAX = 1_000_000_000
SKU_LENGTH_MAX = 64
SKU_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:-]*"
METHOD_PATTERN = r"[A-Za-z0-9_-]+"
TIMELINE_KINDS = [
    "dispute",
    "event",
    "ledger",
    "operation",
    "operator_action",
    "refund",
    "saga",
    "step",
    "webhook",
    "webhook_out",
]
EMAIL_PATTERN = r"[^@\s]+@[^@\s]+"


class KnownCurrency(CurrencyCode):
    """An ISO 4217 code that money exists in."""

    default_error_messages = {"unknown_currency": "Send an active ISO 4217 currency, like EUR."}

    def to_internal_value(self, data: object) -> str:
        """Return the code."""
        code: str = super().to_internal_value(data)
        if code not in EXPONENTS:
            self.fail("unknown_currency")
        return code


class Sku(StrictString):
    """A product's own name: letters, digits and `._:-`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=SKU_LENGTH_MAX, pattern=SKU_PATTERN, **options)


def read_sku(sku: str) -> str:
    """Return a SKU taken from an address; raises InvalidRequest when it is none.

    A card number is none either: the body of an order could never name that product.
    """
    if re.fullmatch(SKU_PATTERN, sku) is None or len(sku) > SKU_LENGTH_MAX:
        raise invalid_field(
            "sku",
            code="invalid",
            detail="Send up to 64 letters, digits and ._:- that begin with one of the first two.",
        )
    if holds_card_number(sku):
        raise CardNumberRefused("sku: This looks like a card number. Take another name for the product.")
    return sku


class CustomerRequest(StrictSerializer):
    """Who the order is for, in the client's own words."""

    reference = StrictString(max_length=255)
    email = StrictString(max_length=254, pattern=EMAIL_PATTERN, required=False)


class LineRequest(StrictSerializer):
    """One product. `unit_price` only with the permission `orders.import`."""

    sku = Sku()
    quantity = StrictInteger(min_value=1, max_value=QUANTITY_MAX)
    unit_price = StrictInteger(min_value=0, max_value=AMOUNT_MINOR_MAX, required=False)


class PaymentRequest(StrictSerializer):
    """One tender. Without `amount` it takes what the others leave.

    `type` is how the method pays; without it the token is asked, and a token that names none is a card.
    """

    method = StrictString(max_length=255, pattern=METHOD_PATTERN)
    type = StrictString(max_length=16, required=False)
    amount = StrictInteger(min_value=1, max_value=AMOUNT_MINOR_MAX, required=False)


class OrderRequest(StrictSerializer):
    """An order. Amounts are integers in minor units of `currency`."""

    customer = CustomerRequest()
    currency = KnownCurrency()
    lines = StrictList(child=LineRequest(), min_length=1, max_length=LINES_MAX)
    payments = StrictList(child=PaymentRequest(), min_length=1, max_length=PAYMENTS_MAX)
    shipping = StrictInteger(min_value=0, max_value=AMOUNT_MINOR_MAX, required=False, default=0)
    metadata = Metadata(required=False)
    placed_at = Timestamp(required=False)


class CancelRequest(StrictSerializer):
    """Nothing: the address says it all."""


class PriceRequest(StrictSerializer):
    """A price in minor units of its currency."""

    amount = StrictInteger(min_value=0, max_value=AMOUNT_MINOR_MAX)
    currency = KnownCurrency()


class ProductRequest(StrictSerializer):
    """A product of the catalogue."""

    name = StrictString(max_length=200)
    price = PriceRequest()


class StockRequest(StrictSerializer):
    """How many pieces come in (negative: go out)."""

    adjust = StrictInteger(min_value=-STOCK_MAX, max_value=STOCK_MAX)


class Money(serializers.Serializer[Any]):
    """An amount in minor units and its ISO 4217 currency."""

    amount = serializers.IntegerField()
    currency = serializers.CharField()


class Customer(serializers.Serializer[Any]):
    """Who the order is for."""

    reference = serializers.CharField()
    email = serializers.CharField(allow_null=True)


class Line(serializers.Serializer[Any]):
    """One product at the price of the moment the order was placed."""

    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = Money()
    total = Money()


class NextAction(serializers.Serializer[Any]):
    """What the payer has to do, and until when: `redirect` (3-D Secure) or `voucher` (pay the slip)."""

    type = serializers.ChoiceField(choices=["redirect", "voucher"])
    url = serializers.CharField()
    until = serializers.DateTimeField(allow_null=True)


class OrderPayment(serializers.Serializer[Any]):
    """One tender. `action_url` is where the payer has to go while `requires_action`.

    `message` is for the buyer, and there only while the end of the payment is not known.
    """

    id = serializers.UUIDField()
    method = serializers.CharField()
    amount = Money()
    status = serializers.CharField()
    captured = Money()
    refunded = Money()
    next_action = NextAction(required=False)
    action_url = serializers.CharField(required=False)
    in_doubt_since = serializers.DateTimeField(required=False)
    message = serializers.CharField(required=False)


class Order(serializers.Serializer[Any]):
    """An order and what became of it."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    status = serializers.ChoiceField(choices=[status.value for status in OrderStatus])
    customer = Customer()
    lines = Line(many=True)
    shipping = Money()
    total = Money()
    payments = OrderPayment(many=True)
    metadata = serializers.DictField()
    cancel_reason = serializers.CharField(allow_null=True)
    placed_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)


class OrderPage(serializers.Serializer[Any]):
    """A page of orders, newest first."""

    data = Order(many=True)  # type: ignore[assignment] # the name is the API's
    next_cursor = serializers.CharField(allow_null=True)


class TimelineEntry(serializers.Serializer[Any]):
    """One thing that happened. What `details` holds depends on `kind`; new fields may come."""

    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=TIMELINE_KINDS)
    title = serializers.CharField()
    details = serializers.DictField()


class TimelinePage(serializers.Serializer[Any]):
    """A page of an order's timeline, the oldest first."""

    data = TimelineEntry(many=True)  # type: ignore[assignment] # the name is the API's
    next_cursor = serializers.CharField(allow_null=True)


class Stock(serializers.Serializer[Any]):
    """Pieces in the warehouse, pieces that orders hold, pieces that can be ordered."""

    on_hand = serializers.IntegerField()
    reserved = serializers.IntegerField()
    available = serializers.IntegerField()


class Product(serializers.Serializer[Any]):
    """A product of the catalogue."""

    sku = serializers.CharField()
    name = serializers.CharField()
    price = Money()
    stock = Stock()


class ProductPage(serializers.Serializer[Any]):
    """A page of products, by SKU."""

    data = Product(many=True)  # type: ignore[assignment] # the name is the API's
    next_cursor = serializers.CharField(allow_null=True)
