"""Catalogue, stock and orders, with the invariants that no code may break."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from orders.states import OrderStatus, ReservationStatus
from resilience.ids import new_id


class Product(models.Model):
    """Something for sale. `reserved` counts pieces that orders hold but have not paid yet."""

    sku = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(max_length=200)
    price_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    on_hand = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "orders_product"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(price_minor__gte=0), name="a_price_is_not_negative"),
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & Q(reserved__lte=F("on_hand")),
                name="stock_reserved_never_exceeds_stock_on_hand",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.sku})"


class Order(models.Model):
    """What a client asked for and what became of it. Amounts are minor units of `currency`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.BigIntegerField(
        unique=True, db_default=models.expressions.RawSQL("nextval('orders_number')", [])
    )
    client = models.CharField(max_length=64)
    status = models.CharField(max_length=20, default=OrderStatus.PENDING)
    customer_reference = models.CharField(max_length=255)
    customer_email = models.CharField(max_length=254, default="")
    currency = models.CharField(max_length=3)
    shipping_minor = models.BigIntegerField(default=0)
    total_minor = models.BigIntegerField()
    # Of a sale: what is given back in all, as far as orders have heard.
    refunded_minor = models.BigIntegerField(default=0, db_default=0)
    metadata = models.JSONField(default=dict)
    cancel_reason = models.TextField(default="")
    placed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "orders_order"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(shipping_minor__gte=0) & Q(total_minor__gt=0), name="an_order_costs_something"
            ),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in OrderStatus]),
                name="an_order_status_is_known",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["client", "-id"], name="orders_of_a_client")]

    def __str__(self) -> str:
        return f"order {self.number} ({self.status})"


class OrderLine(models.Model):
    """One product of an order at the price of the moment it was placed."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines", db_index=False)
    position = models.PositiveSmallIntegerField()
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    quantity = models.IntegerField()
    unit_price_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()

    class Meta:
        db_table = "orders_order_line"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "position"], name="a_line_has_one_place_in_its_order"),
            models.CheckConstraint(
                condition=Q(quantity__gt=0)
                & Q(unit_price_minor__gte=0)
                & Q(total_minor=F("quantity") * F("unit_price_minor")),
                name="a_line_total_is_quantity_times_price",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.sku}"


class Reservation(models.Model):
    """Pieces of one product that one order holds, has bought, or has given back."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="reservations", db_index=False)
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="reservations", db_index=False
    )
    quantity = models.IntegerField()
    status = models.CharField(max_length=16, default=ReservationStatus.HELD)

    class Meta:
        db_table = "orders_reservation"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["order", "product"], name="an_order_reserves_a_product_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="a_reservation_holds_something"),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in ReservationStatus]),
                name="a_reservation_status_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product_id} ({self.status})"
