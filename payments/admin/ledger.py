"""What operators see of the ledger: what was booked, what it sums to, how far it is sealed."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from payments.gateways.registry import gateway_names
from payments.ledger.balances import balances
from payments.ledger.facts import KINDS
from payments.models import LedgerEntry, LedgerSeal, LedgerTransaction
from payments.money import currency_exponent
from resilience.read_only_admin import ReadOnlyAdmin, ReadOnlyInline, filter_by


class LedgerEntryInline(ReadOnlyInline):
    """The sides of a transaction: debit above zero, credit below."""

    model = LedgerEntry
    fields = ("account", "amount")
    readonly_fields = ("amount",)

    @admin.display(description="amount")
    def amount(self, entry: LedgerEntry) -> str:
        """Return what it moves."""
        return signed(entry.amount_minor, entry.currency)


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(ReadOnlyAdmin):
    """What was booked, the newest first, below what all of it sums to."""

    change_list_template = "payments/admin/ledger_transactions.html"
    list_display = ("id", "source", "kind", "gateway", "payment", "order", "occurred_at", "recorded_at")
    list_filter = (filter_by("kind", lambda: KINDS), filter_by("gateway", gateway_names))
    search_fields = ("id", "source", "order_id")
    ordering = ("-id",)
    inlines = (LedgerEntryInline,)
    fields = (
        "id",
        "source",
        "kind",
        "gateway",
        "payment",
        "order",
        "original",
        "occurred_at",
        "recorded_at",
        "xid",
    )
    readonly_fields = ("payment", "order", "original", "id", "xid")

    @admin.display(description="payment")
    def payment(self, transaction: LedgerTransaction) -> str:
        """Return a link to the payment."""
        return _link("admin:payments_payment_change", transaction.payment_id)

    @admin.display(description="order")
    def order(self, transaction: LedgerTransaction) -> str:
        """Return a link to the order; the id is all that this room knows of it."""
        # The address by its name: no room may import from the left.
        return _link("admin:orders_order_change", transaction.order_id)

    @admin.display(description="reverses")
    def original(self, transaction: LedgerTransaction) -> str:
        """Return a link to the booking that this one takes back."""
        # Its id only: without a foreign key nothing promises that the row is there.
        return _link("admin:payments_ledgertransaction_change", transaction.reverses_id)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, and the balances above it."""
        found = balances()
        lines = [(line.account, signed(line.balance_minor, line.currency)) for line in found.lines]
        return super().changelist_view(request, {**(extra_context or {}), "balances": lines, "ledger": found})


@admin.register(LedgerSeal)
class LedgerSealAdmin(ReadOnlyAdmin):
    """The links of the chain, the newest first."""

    list_display = ("id", "transactions", "last_transaction_id", "digest", "sealed_at")
    search_fields = ("id", "digest", "previous_digest", "last_transaction_id")
    ordering = ("-id",)
    fields = (
        "id",
        "transactions",
        "last_transaction_id",
        "previous_digest",
        "digest",
        "balances",
        "sealed_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerSeal]:
        """Return the seals without their marks, which may be 40 kB each."""
        return super().get_queryset(request).defer("marks")


def signed(amount_minor: int, currency: str) -> str:
    """Write an amount of either side for people: `-1,299.05 EUR`."""
    exponent = currency_exponent(currency)
    whole, part = divmod(abs(amount_minor), 10**exponent)
    decimals = f".{part:0{exponent}d}" if exponent else ""
    return f"{'-' if amount_minor < 0 else ''}{whole:,}{decimals} {currency}"


def _link(page: str, key: object) -> str:
    return format_html('<a href="{}">{}</a>', reverse(page, args=[key]), key) if key is not None else "–"
