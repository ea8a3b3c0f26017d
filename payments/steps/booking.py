"""Book what a gateway knows and we did not, in the transaction that holds the payment's lock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payments import events, store
from payments.gateways.base import Observation
from payments.ledger.facts import capture_source
from payments.models import Dispute, LedgerTransaction, Operation, Refund
from payments.states import (
    DisputeStatus,
    ExceptionKind,
    OperationKind,
    PaymentStatus,
    RefundSource,
    RefundStatus,
)
from payments.steps.exchange import READS_LAG_MAX
from payments.steps.facts import (
    Captured,
    Contradiction,
    DisputeClosed,
    DisputeOpened,
    Fact,
    HeldAfterEnd,
    Known,
    KnownDispute,
    KnownRefund,
    RefundCameBack,
    RefundMade,
    Released,
    Unsettled,
    next_fact,
)
from payments.steps.meaning import change_of
from payments.steps.telling import tell
from payments.store import Difference, NewRefund, PaymentChange, RefundChange
from payments.store import disputes as dispute_store
from payments.tenders import Tender
from resilience.ids import new_id

StartRefund = Callable[[UUID, UUID, datetime], None]
"""Starts the saga of a refund: its id, its payment's, and now."""

# A payment with more news than this is looked at again; a hundred partial refunds are booked in two looks.
FACTS_MAX = 50


@dataclass(frozen=True)
class Booked:
    """What was booked of one payment, and what is left: a hold to let go, operations of ours to wait for."""

    facts: tuple[Fact, ...] = ()
    held_reference: str = ""
    unsettled: str = ""


def book_what_is_seen(
    payment_id: UUID, seen: Observation, *, gateway: str, start_refund: StartRefund, now: datetime
) -> Booked:
    """Book each difference between `seen` and what is booked of the payment, fact by fact.

    Call it inside `atomic`; it locks the payment. What contradicts our request is no fact: it opens a
    reconciliation exception.
    """
    booked = _book_differences(payment_id, seen, gateway=gateway, now=now)
    if any(isinstance(fact, Captured) and fact.is_late for fact in booked.facts):
        # Only now: what somebody has given back of it already is booked.
        _give_back_the_rest(payment_id, start_refund, now)
    return booked


def _book_differences(payment_id: UUID, seen: Observation, *, gateway: str, now: datetime) -> Booked:
    facts: list[Fact] = []
    while len(facts) < FACTS_MAX:
        known = _known(payment_id)
        fact = next_fact(known, seen)
        match fact:
            case None:
                return Booked(tuple(facts))
            case Unsettled(reason):
                return Booked(tuple(facts), unsettled=reason)
            case HeldAfterEnd(reference):
                return Booked((*facts, fact), held_reference=reference)
            case Contradiction(kind=ExceptionKind.STATUS) if _was_captured_lately(payment_id, now):
                return Booked(tuple(facts), unsettled="captured since this look, or just before it")
        facts.append(fact)
        _book(known.tender, fact, gateway=gateway, now=now)
        if isinstance(fact, Contradiction):
            return Booked(tuple(facts))
    return Booked(tuple(facts), unsettled=f"more than {FACTS_MAX} facts at once")


def _known(payment_id: UUID) -> Known:
    tender = store.lock_payments([payment_id])[payment_id]
    refunds = Refund.objects.filter(payment_id=payment_id).order_by("id")
    disputes = Dispute.objects.filter(payment_id=payment_id).order_by("id")
    authorizations = Operation.objects.filter(payment_id=payment_id, kind=OperationKind.AUTHORIZE)
    return Known(
        tender,
        tuple(
            KnownRefund(row.id, row.reference, RefundStatus(row.status), row.amount_minor) for row in refunds
        ),
        tuple(KnownDispute(row.id, row.reference, DisputeStatus(row.status)) for row in disputes),
        frozenset(authorizations.values_list("key", flat=True)),
    )


def _was_captured_lately(payment_id: UUID, now: datetime) -> bool:
    """Tell whether the capture was booked so lately that an honest look may not show it."""
    return LedgerTransaction.objects.filter(
        source=capture_source(payment_id), recorded_at__gt=now - READS_LAG_MAX
    ).exists()


def _book(tender: Tender, fact: Fact, *, gateway: str, now: datetime) -> None:
    match fact:
        case Captured():
            _capture(tender, fact, gateway, now)
        case Released():
            _change(change_of(tender, PaymentStatus.VOIDED), now)
            tell([events.PaymentVoided(tender.id, tender.order_id)], now=now)
        case RefundMade():
            _refund_made(tender, fact, now)
        case RefundCameBack():
            _refund_came_back(tender, fact, now)
        case DisputeOpened():
            _dispute_opened(tender, fact, now)
        case DisputeClosed():
            _dispute_closed(tender, fact, now)
        case Contradiction():
            difference = Difference(
                gateway,
                fact.kind,
                fact.reference,
                fact.ours,
                fact.theirs,
                tender.id,
                tender.order_id,
            )
            store.open_exceptions([difference], now=now)


def _capture(tender: Tender, fact: Captured, gateway: str, now: datetime) -> None:
    change = change_of(
        tender,
        PaymentStatus.CAPTURED,
        captured_minor=tender.amount_minor,
        gateway=gateway,
        reference=fact.reference,
        is_late=fact.is_late,
    )
    _change(change, now)
    money = (tender.id, tender.order_id, tender.amount_minor, tender.currency)
    tell([events.PaymentCaptured(*money, gateway, fact.reference)], now=now)


def _give_back_the_rest(payment_id: UUID, start_refund: StartRefund, now: datetime) -> None:
    """Refund what is left of a payment that nobody wants any more: the order ended without it."""
    tender = store.lock_payments([payment_id])[payment_id]
    rest_minor = tender.captured_minor - tender.refunded_minor - tender.refund_reserved_minor
    if rest_minor:
        refund = NewRefund(new_id(), payment_id, rest_minor, RefundSource.LATE)
        store.reserve_refunds([refund], now=now)
        start_refund(refund.id, payment_id, now)


def _refund_made(tender: Tender, fact: RefundMade, now: datetime) -> None:
    refund_id, seen = new_id(), fact.seen
    store.book_refund(
        refund_id,
        payment_id=tender.id,
        amount_minor=seen.amount_minor,
        reference=seen.reference,
        made_at=seen.created_at,
        now=now,
    )
    _change(change_of(tender, tender.status, refunded_delta=seen.amount_minor), now)
    refunded = events.PaymentRefunded(
        tender.id, tender.order_id, seen.amount_minor, tender.currency, tender.gateway, refund_id
    )
    tell([refunded], now=now)


def _refund_came_back(tender: Tender, fact: RefundCameBack, now: datetime) -> None:
    refund = fact.refund
    store.settle_refunds(
        [RefundChange(refund.id, RefundStatus.SUCCEEDED, RefundStatus.FAILED, failure_code=fact.code[:64])],
        now=now,
    )
    _change(change_of(tender, PaymentStatus.CAPTURED, refunded_delta=-refund.amount_minor, is_late=True), now)
    failed = events.PaymentRefundFailed(
        tender.id,
        tender.order_id,
        refund.amount_minor,
        tender.currency,
        tender.gateway,
        refund.id,
        fact.code,
        came_back=True,
    )
    tell([failed], now=now)
    # The payer was told that their money comes: somebody has to pay it another way.
    difference = Difference(
        tender.gateway,
        ExceptionKind.REFUND_FAILED,
        refund.reference,
        f"refunded {refund.amount_minor}",
        fact.code,
        tender.id,
        tender.order_id,
    )
    store.open_exceptions([difference], now=now)


def _dispute_opened(tender: Tender, fact: DisputeOpened, now: datetime) -> None:
    dispute_id, seen = new_id(), fact.seen
    dispute_store.record_dispute(
        dispute_id,
        payment_id=tender.id,
        gateway=tender.gateway,
        reference=seen.reference,
        amount_minor=seen.amount_minor,
        currency=seen.currency,
        reason=seen.reason[:64],
        opened_at=seen.opened_at,
    )
    disputed = events.PaymentDisputed(
        tender.id,
        tender.order_id,
        seen.amount_minor,
        seen.currency,
        tender.gateway,
        dispute_id,
        seen.reason[:64],
    )
    tell([disputed], now=now)


def _dispute_closed(tender: Tender, fact: DisputeClosed, now: datetime) -> None:
    seen = fact.seen
    dispute_store.close_dispute(fact.dispute.id, status=seen.status, now=now)
    closed = events.PaymentDisputeClosed(
        tender.id,
        tender.order_id,
        seen.amount_minor,
        seen.currency,
        tender.gateway,
        fact.dispute.id,
        seen.status,
    )
    tell([closed], now=now)


def _change(change: PaymentChange, now: datetime) -> None:
    store.settle([], [change], now=now)
