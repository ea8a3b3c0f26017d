"""Reads of payments. Whether a replica may answer is the caller's scope to say."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from payments.models import Payment, ReconciliationException, ReconciliationRun
from resilience.saga.query import next_due_of


def payment_of(client: str, payment_id: UUID) -> Payment | None:
    """Return a client's payment, None when it is nobody's or somebody else's."""
    return Payment.objects.filter(client=client, pk=payment_id).first()


def next_check_of(payment: Payment) -> datetime | None:
    """Return when the gateway will be asked about a payment in doubt; None without a doubt."""
    return next_due_of(payment.order_id) if payment.in_doubt_since else None


def reconciliation_exceptions(*, is_open: bool | None) -> QuerySet[ReconciliationException]:
    """Return exceptions that are open, or resolved; all of them for None."""
    rows = ReconciliationException.objects.all()
    return rows if is_open is None else rows.filter(resolved_at__isnull=is_open)


def exceptions_of_run(run: ReconciliationRun) -> QuerySet[ReconciliationException]:
    """Return the open exceptions that a run found, or found again, from the primary."""
    rows = ReconciliationException.objects.using("default").filter(gateway=run.gateway, resolved_at=None)
    return rows.filter(last_seen_at__gte=run.started_at).order_by("kind", "reference")
