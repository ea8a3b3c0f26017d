"""Reads of payments. Whether a replica may answer is the caller's scope to say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from payments.models import (
    Dispute,
    Operation,
    Payment,
    ReconciliationException,
    ReconciliationRun,
    Refund,
)
from payments.states import Phase, RefundSource, RefundStatus
from resilience.saga.query import next_dues_of


@dataclass(frozen=True)
class Doubt:
    """Since when a gateway has been asked without an answer, and when it is asked again (None: not known)."""

    since: datetime
    next_check_at: datetime | None


def payment_of(client: str, payment_id: UUID) -> Payment | None:
    """Return a client's payment, None when it is nobody's or somebody else's."""
    return Payment.objects.filter(client=client, pk=payment_id).first()


def next_check_of(payment: Payment) -> datetime | None:
    """Return when the gateway will be asked about a payment in doubt; None without a doubt.

    By the saga of its order or, once it is captured, by the one of a refund.
    """
    if payment.in_doubt_since is None:
        return None
    pending = Refund.objects.filter(payment_id=payment.pk, status=RefundStatus.PENDING)
    keys = [payment.order_id, *pending.order_by("pk").values_list("pk", flat=True)]
    return min(next_dues_of(keys).values(), default=None)


def disputes_of(payment: Payment) -> list[Dispute]:
    """Return the disputes of a payment, the first one first."""
    return list(Dispute.objects.filter(payment_id=payment.pk).order_by("opened_at", "pk"))


def refunds_of(payment: Payment, *, before: UUID | None) -> QuerySet[Refund]:
    """Return the refunds of a payment, newest first, from below `before`."""
    rows = Refund.objects.filter(payment_id=payment.pk).order_by("-pk")
    return rows if before is None else rows.filter(pk__lt=before)


def refund_of(payment: Payment, refund_id: UUID) -> Refund | None:
    """Return a refund of a payment, None when it has none of this id."""
    return Refund.objects.filter(payment_id=payment.pk, pk=refund_id).first()


def doubts_of(payment: Payment, refunds: Sequence[Refund]) -> dict[UUID, Doubt]:
    """Return which of these refunds of a payment are in doubt, by id."""
    pending = {refund.pk: refund for refund in refunds if refund.status == RefundStatus.PENDING}
    if not pending:
        return {}
    # Sent again, an operation keeps its doubt until it is settled.
    asked = Operation.objects.filter(
        ~Q(phase=Phase.SETTLED), refund_id__in=list(pending), in_doubt_since__isnull=False
    ).only("refund_id", "in_doubt_since")
    since = {row.refund_id: row.in_doubt_since for row in asked if row.refund_id and row.in_doubt_since}
    keys = {refund_id: _saga_key(payment, pending[refund_id]) for refund_id in since}
    dues = next_dues_of(list(keys.values())) if keys else {}
    return {refund_id: Doubt(since[refund_id], dues.get(key)) for refund_id, key in keys.items()}


def _saga_key(payment: Payment, refund: Refund) -> UUID:
    """Return the key of the saga that carries a refund: what an order gives back, its own saga does."""
    return payment.order_id if refund.source == RefundSource.RETURN else refund.pk


def reconciliation_exceptions(*, is_open: bool | None) -> QuerySet[ReconciliationException]:
    """Return exceptions that are open, or resolved; all of them for None."""
    rows = ReconciliationException.objects.all()
    return rows if is_open is None else rows.filter(resolved_at__isnull=is_open)


def exceptions_of_run(run: ReconciliationRun) -> QuerySet[ReconciliationException]:
    """Return the open exceptions that a run found, or found again, from the primary."""
    rows = ReconciliationException.objects.using("default").filter(gateway=run.gateway, resolved_at=None)
    return rows.filter(last_seen_at__gte=run.started_at).order_by("kind", "reference")
