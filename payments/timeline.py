"""What happened to the payments of orders: asked of gateways, told by them, given back, disputed, booked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from payments.models import Dispute, GatewayNotice, LedgerTransaction, Operation, Payment, Refund
from resilience.rest.client_text import client_text
from resilience.timeline import KEYS_MAX, Entry, Window

# Enough to find an operation again with whoever holds the whole key.
KEY_SHOWN = 8
# An order has at most ten tenders.
PAYMENTS_MAX = 100


@dataclass(frozen=True)
class PaymentsTimeline:
    """Entries of payments, and under which keys sagas and events tell of them as well."""

    entries: tuple[Entry, ...]
    payment_ids: tuple[UUID, ...]
    business_keys: tuple[UUID, ...]


def timeline_of(*, order_ids: Sequence[UUID], window: Window) -> PaymentsTimeline:
    """Return what happened to the payments of these orders within `window`; eight statements.

    `business_keys` are those of their refunds and of the notices about them, at most KEYS_MAX.
    """
    currencies = dict(
        Payment.objects.filter(order_id__in=order_ids)
        .order_by("pk")
        .values_list("pk", "currency")[:PAYMENTS_MAX]
    )
    payment_ids = list(currencies)
    refunds = Refund.objects.filter(payment_id__in=payment_ids)
    notices = GatewayNotice.objects.filter(payment_id__in=payment_ids)
    keys = refunds.order_by().values_list("pk").union(notices.order_by().values_list("pk"), all=True)
    entries = [
        *_operations(payment_ids, currencies, window),
        *_refunds(refunds, currencies, window),
        *_disputes(payment_ids, window),
        *(_of_notice(row) for row in window.rows(notices.defer("body"), "received_at")),
        *_bookings(order_ids, window),
    ]
    return PaymentsTimeline(tuple(entries), tuple(payment_ids), tuple(row[0] for row in keys[:KEYS_MAX]))


def _operations(payment_ids: Sequence[UUID], currencies: dict[UUID, str], window: Window) -> Iterable[Entry]:
    rows = Operation.objects.filter(payment_id__in=payment_ids)
    for row in window.rows(rows, "created_at", "in_doubt_since", "settled_at"):
        details = _of_operation(row, currencies[row.payment_id])
        yield Entry(row.created_at, "operation", f"{row.kind} asked", _asked(details), f"8:{row.pk}")
        if row.in_doubt_since:
            yield Entry(row.in_doubt_since, "operation", f"{row.kind} in doubt", details, f"1:{row.pk}")
        if row.settled_at:
            yield Entry(row.settled_at, "operation", f"{row.kind} {row.outcome}", details, f"2:{row.pk}")


def _of_operation(row: Operation, currency: str) -> dict[str, object]:
    return {
        "operation": row.kind,
        "payment_id": row.payment_id,
        "refund_id": row.refund_id,
        "gateway": row.gateway,
        "key": f"{row.key[:KEY_SHOWN]}…",
        "amount": _money(row.amount_minor, currency),
        "phase": row.phase,
        "outcome": row.outcome or None,
        "sends": row.sends,
        "error": client_text(row.error) or None,
        # Redacted when it was written (payments/gateways/redaction.py).
        "evidence": row.evidence,
    }


def _asked(details: dict[str, object]) -> dict[str, object]:
    """Return what was known when it was asked: nothing of what came of it."""
    named = ("operation", "payment_id", "refund_id", "gateway", "key", "amount")
    return {name: details[name] for name in named}


def _refunds(rows: QuerySet[Refund], currencies: dict[UUID, str], window: Window) -> Iterable[Entry]:
    for row in window.rows(rows, "created_at", "settled_at"):
        details = {
            "refund_id": row.pk,
            "payment_id": row.payment_id,
            "amount": _money(row.amount_minor, currencies[row.payment_id]),
            "source": row.source,
            "reason": row.reason or None,
        }
        yield Entry(row.created_at, "refund", "Refund begun", details, f"0:{row.pk}")
        if row.settled_at:
            ended = {**details, "status": row.status, "failure_code": row.failure_code or None}
            yield Entry(row.settled_at, "refund", f"Refund {row.status}", ended, f"3:{row.pk}")


def _disputes(payment_ids: Sequence[UUID], window: Window) -> Iterable[Entry]:
    for row in window.rows(Dispute.objects.filter(payment_id__in=payment_ids), "opened_at", "closed_at"):
        details = {
            "dispute_id": row.pk,
            "payment_id": row.payment_id,
            "amount": _money(row.amount_minor, row.currency),
            "reason": row.reason or None,
        }
        yield Entry(row.opened_at, "dispute", "Dispute opened", details, f"0:{row.pk}")
        if row.closed_at:
            closed = {**details, "status": row.status}
            yield Entry(row.closed_at, "dispute", f"Dispute {row.status}", closed, f"3:{row.pk}")


def _of_notice(row: GatewayNotice) -> Entry:
    return Entry(
        at=row.received_at,
        kind="webhook",
        title=row.type,
        details={
            "type": row.type,
            "gateway": row.gateway,
            "status": row.status,
            "payment_id": row.payment_id,
            "received_at": row.received_at,
            "handled_at": row.handled_at,
        },
        place=f"0:{row.pk}",
    )


def _bookings(order_ids: Sequence[UUID], window: Window) -> Iterable[Entry]:
    rows = LedgerTransaction.objects.filter(order_id__in=order_ids)
    for row in window.rows(rows.prefetch_related("entries"), "recorded_at"):
        lines = sorted(row.entries.all(), key=lambda line: line.pk)
        details = {
            "source": row.source,
            "gateway": row.gateway,
            "payment_id": row.payment_id,
            "occurred_at": row.occurred_at,
            "entries": [
                {"account": line.account, "amount": _money(line.amount_minor, line.currency)}
                for line in lines
            ],
        }
        yield Entry(row.recorded_at, "ledger", row.kind, details, f"4:{row.pk:020}")


def _money(amount_minor: int, currency: str) -> dict[str, object]:
    return {"amount": amount_minor, "currency": currency}
