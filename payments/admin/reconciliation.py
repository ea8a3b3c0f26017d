"""What operators see of reconciliation: runs, and what nothing explains."""

from django.contrib import admin

from payments.gateways.registry import gateway_names
from payments.models import ReconciliationException, ReconciliationRun
from payments.reconciliation.tally import percent, shares_of
from payments.states import ExceptionKind, RunStatus
from resilience.read_only_admin import ReadOnlyAdmin, filter_by


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ReadOnlyAdmin):
    """Passes over gateways' lists, the newest first."""

    list_display = (
        "started_at",
        "gateway",
        "status",
        "since",
        "lines",
        "matched",
        "booked",
        "under_way",
        "accepted",
        "exceptions",
        "explained",
        "finished_at",
    )
    list_filter = (
        filter_by("status", lambda: list(RunStatus)),
        filter_by("gateway", gateway_names),
    )
    search_fields = ("id",)
    ordering = ("-id",)
    readonly_fields = ("explained",)

    @admin.display(description="explained")
    def explained(self, run: ReconciliationRun) -> str:
        """Return how much is explained of each currency, by amount."""
        shares = shares_of(run.summary).items()
        return ", ".join(f"{percent(share.explained_amount_bp)} % {currency}" for currency, share in shares)


@admin.register(ReconciliationException)
class ReconciliationExceptionAdmin(ReadOnlyAdmin):
    """Differences between gateways' lists and our books, the newest first."""

    acts = (("exception-resolve", "Resolve"),)
    list_display = (
        "first_seen_at",
        "gateway",
        "kind",
        "reference",
        "order_id",
        "ours",
        "theirs",
        "last_seen_at",
        "resolved_at",
        "resolved_by",
    )
    list_filter = (
        ("resolved_at", admin.EmptyFieldListFilter),
        filter_by("kind", lambda: list(ExceptionKind)),
        filter_by("gateway", gateway_names),
    )
    search_fields = ("id", "reference", "payment_id", "order_id")
    ordering = ("-id",)
