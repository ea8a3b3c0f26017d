"""What operators see of payments, of what was asked of gateways for them, and of what gateways told."""

import json

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from payments.gateways.notices import TYPES
from payments.gateways.registry import gateway_names
from payments.models import Dispute, GatewayNotice, Operation, Payment, Refund
from payments.money import Money
from payments.states import NoticeStatus, PaymentStatus
from resilience.read_only_admin import ReadOnlyAdmin, ReadOnlyInline, filter_by


class OperationInline(ReadOnlyInline):
    """Each request to a gateway, with its key: what to quote when asking the gateway's support."""

    model = Operation
    fields = (
        "kind",
        "phase",
        "outcome",
        "amount_minor",
        "gateway",
        "key",
        "reference",
        "sends",
        "error",
        "created_at",
        "in_doubt_since",
        "settled_at",
    )


class RefundInline(ReadOnlyInline):
    """What goes back of it, from the wish to the gateway's word."""

    model = Refund
    fields = (
        "id",
        "status",
        "amount_minor",
        "source",
        "reason",
        "reference",
        "failure_code",
        "created_at",
        "settled_at",
    )
    readonly_fields = ("id",)


class DisputeInline(ReadOnlyInline):
    """What its payer's bank takes, or took, back."""

    model = Dispute
    fields = ("reference", "status", "amount_minor", "reason", "opened_at", "closed_at")


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Payments, the newest first."""

    acts = (("payment-ask", "Ask the gateway now"), ("payment-refund", "Give money back"))
    list_display = (
        "id",
        "order",
        "status",
        "amount",
        "captured",
        "refunded",
        "gateway",
        "reference",
        "in_doubt_since",
        "created_at",
        "settled_at",
    )
    list_filter = (
        filter_by("status", lambda: list(PaymentStatus)),
        ("in_doubt_since", admin.EmptyFieldListFilter),
        filter_by("gateway", gateway_names),
    )
    search_fields = ("id", "order_id", "reference", "client")
    ordering = ("-id",)
    inlines = (OperationInline, RefundInline, DisputeInline)
    readonly_fields = ("order", "elsewhere")

    @admin.display(description="order")
    def order(self, payment: Payment) -> str:
        """Return a link to the order; the id is all that this room knows of it."""
        # The address by its name: no room may import from the left.
        return format_html(
            '<a href="{}">{}</a>',
            reverse("admin:orders_order_change", args=[payment.order_id]),
            payment.order_id,
        )

    @admin.display(description="see also")
    def elsewhere(self, payment: Payment) -> str:
        """Return links to what was booked for its order, to what gateways told of it, and to its events."""
        return format_html(
            '<a href="{}?q={}">ledger</a> · <a href="{}?q={}">notices</a> · <a href="{}?q={}">events</a>',
            reverse("admin:payments_ledgertransaction_changelist"),
            payment.order_id,
            reverse("admin:payments_gatewaynotice_changelist"),
            payment.pk,
            # The address by its name: events belong to another room.
            reverse("admin:resilience_loggedevent_changelist"),
            payment.pk,
        )

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, payment: Payment) -> str:
        """Return what it is for."""
        return str(Money(payment.amount_minor, payment.currency))

    @admin.display(description="captured")
    def captured(self, payment: Payment) -> str:
        """Return what was taken."""
        return str(Money(payment.captured_minor, payment.currency))

    @admin.display(description="refunded")
    def refunded(self, payment: Payment) -> str:
        """Return what was given back."""
        return str(Money(payment.refunded_minor, payment.currency))


@admin.register(GatewayNotice)
class GatewayNoticeAdmin(ReadOnlyAdmin):
    """Notices of gateways, the newest first; the body is what of it may be kept."""

    not_listed = ("body",)
    list_display = (
        "received_at",
        "gateway",
        "type",
        "status",
        "reference",
        "payment_id",
        "detail",
        "handled_at",
    )
    list_filter = (
        filter_by("status", lambda: list(NoticeStatus)),
        filter_by("type", lambda: TYPES),
        filter_by("gateway", gateway_names),
    )
    search_fields = ("id", "event_id", "reference", "payment_id")
    ordering = ("-id",)
    exclude = ("body",)
    readonly_fields = ("event",)

    @admin.display(description="event")
    def event(self, notice: GatewayNotice) -> str:
        """Return the event as text to read."""
        return format_html("<pre>{}</pre>", json.dumps(notice.body, indent=2, ensure_ascii=False))
