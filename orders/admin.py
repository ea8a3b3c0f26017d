"""What operators see of the catalogue and of orders."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from orders.models import Order, OrderLine, Product, Reservation
from orders.states import OrderStatus
from payments.money import Money
from resilience.read_only_admin import ReadOnlyAdmin, ReadOnlyInline, filter_by


class OrderLineInline(ReadOnlyInline):
    """What was ordered."""

    model = OrderLine
    fields = ("position", "sku", "name", "quantity", "unit_price_minor", "total_minor")


class ReservationInline(ReadOnlyInline):
    """What is held, sold or given back for it."""

    model = Reservation
    fields = readonly_fields = ("sku", "quantity", "status")

    @admin.display(description="SKU")
    def sku(self, reservation: Reservation) -> str:
        """Return the product's key, which needs no query for the product."""
        return reservation.product_id


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders, the newest first; the dashboard has a page of its own for one."""

    acts = (("order-cancel", "Cancel"),)
    not_listed = ("metadata",)
    list_display = ("number", "status", "client", "customer_reference", "total", "placed_at", "settled_at")
    list_filter = (filter_by("status", lambda: list(OrderStatus)), "placed_at")
    search_fields = ("id", "number", "client", "customer_reference")
    ordering = ("-id",)
    inlines = (OrderLineInline, ReservationInline)
    fields = (
        "id",
        "number",
        "status",
        "client",
        "customer_reference",
        "customer_email",
        "shipping",
        "total",
        "cancel_reason",
        "metadata",
        "placed_at",
        "settled_at",
        "elsewhere",
    )
    readonly_fields = ("shipping", "total", "elsewhere")

    @admin.display(description="total", ordering="total_minor")
    def total(self, order: Order) -> str:
        """Return what it costs, for people."""
        return str(Money(order.total_minor, order.currency))

    @admin.display(description="shipping")
    def shipping(self, order: Order) -> str:
        """Return what its shipping costs, for people."""
        return str(Money(order.shipping_minor, order.currency))

    @admin.display(description="see also")
    def elsewhere(self, order: Order) -> str:
        """Return links to what carries the order's id in other rooms: its sagas, payments and events."""
        return format_html(
            '<a href="{}?q={}">sagas</a> · <a href="{}?q={}">payments</a> · <a href="{}?q={}">events</a>',
            reverse("admin:resilience_saga_changelist"),
            order.pk,
            reverse("admin:payments_payment_changelist"),
            order.pk,
            reverse("admin:resilience_loggedevent_changelist"),
            order.pk,
        )


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    """The catalogue with its stock."""

    list_display = ("sku", "name", "price", "on_hand", "reserved", "available", "updated_at")
    search_fields = ("sku", "name")
    ordering = ("sku",)

    @admin.display(description="price")
    def price(self, product: Product) -> str:
        """Return what a piece costs, for people."""
        return str(Money(product.price_minor, product.currency))

    @admin.display(description="available")
    def available(self, product: Product) -> int:
        """Return how many pieces nobody holds."""
        return product.on_hand - product.reserved
