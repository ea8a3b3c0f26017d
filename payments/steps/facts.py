"""What a gateway knows of a payment and we do not: pure, one fact at a time, the earliest first.

The danger: whoever copies a gateway's words into a payment moves it backward when the words are old, and
whoever trusts only itself never hears of a refund that was made in the gateway's console. So what the
gateway shows *now* is compared with what is booked, and each difference is a fact to be booked. Whatever
an operation of ours is still asking about is left to whoever asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from payments.gateways.base import ChargeState, Observation, SeenDispute, SeenRefund
from payments.states import (
    TERMINAL,
    DisputeStatus,
    ExceptionKind,
    OperationKind,
    PaymentStatus,
    RefundStatus,
)
from payments.tenders import Tender

_MOVING = (OperationKind.AUTHORIZE, OperationKind.CAPTURE, OperationKind.VOID)


@dataclass(frozen=True)
class KnownRefund:
    """A refund of ours."""

    id: UUID
    reference: str
    status: RefundStatus
    amount_minor: int


@dataclass(frozen=True)
class KnownDispute:
    """A dispute of ours."""

    id: UUID
    reference: str
    status: DisputeStatus


@dataclass(frozen=True)
class Known:
    """What is booked of one payment. `keys` are those that its charge was asked for with, ever."""

    tender: Tender
    refunds: tuple[KnownRefund, ...] = ()
    disputes: tuple[KnownDispute, ...] = ()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Captured:
    """The money was taken, past us. `is_late`: after the payment had ended, so that it has to go back."""

    reference: str
    is_late: bool


@dataclass(frozen=True)
class Released:
    """An authorization ended at the gateway: it lapsed, or somebody let go of it."""


@dataclass(frozen=True)
class HeldAfterEnd:
    """Money is held, or a payer may still pay, for a payment that has ended here: to be let go."""

    reference: str


@dataclass(frozen=True)
class RefundMade:
    """Money went back, past us."""

    seen: SeenRefund


@dataclass(frozen=True)
class RefundCameBack:
    """A refund that had succeeded did not reach the payer: the money is here again."""

    refund: KnownRefund
    code: str


@dataclass(frozen=True)
class DisputeOpened:
    """The payer's bank took the money back."""

    seen: SeenDispute


@dataclass(frozen=True)
class DisputeClosed:
    """A dispute was decided."""

    dispute: KnownDispute
    seen: SeenDispute


@dataclass(frozen=True)
class Contradiction:
    """The gateway's charge is not the payment that we asked for, or gave back more than we have of it.

    Nothing is booked. `reference`: of the charge, or of the refund.
    """

    kind: ExceptionKind
    reference: str
    ours: str
    theirs: str


@dataclass(frozen=True)
class Unsettled:
    """Operations of ours are under way: their own sagas find out, and this is looked at again then."""

    reason: str


Fact = (
    Captured
    | Released
    | HeldAfterEnd
    | RefundMade
    | RefundCameBack
    | DisputeOpened
    | DisputeClosed
    | Contradiction
    | Unsettled
)


def next_fact(known: Known, seen: Observation) -> Fact | None:
    """Return the first thing that `seen` shows and `known` does not; None when they agree."""
    tender = known.tender
    if not _is_its_charge(known, seen) and seen.state is ChargeState.ENDED:
        return None  # of another account before this one, or of another system: it holds nothing
    contradiction = _contradiction(known, seen)
    if contradiction:
        return contradiction
    if any(operation.kind in _MOVING for operation in tender.live):
        return Unsettled("its own saga is asking")
    return _state(tender, seen) or _refunds(known, seen) or _disputes(known.disputes, seen.disputes)


def _is_its_charge(known: Known, seen: Observation) -> bool:
    """Tell whether `seen` is the payment's charge; of a payment that knows none, one that we asked for.

    What else it says of itself is no proof: metadata is what somebody wrote.
    """
    reference = known.tender.reference
    return seen.reference == reference if reference else seen.key in known.keys


def _contradiction(known: Known, seen: Observation) -> Contradiction | None:
    words = _contradicting(known, seen)
    return Contradiction(words[0], seen.reference, words[1], words[2]) if words else None


def _contradicting(known: Known, seen: Observation) -> tuple[ExceptionKind, str, str] | None:
    tender = known.tender
    # First whether it is the same charge at all: another one's amount says nothing of ours.
    if not _is_its_charge(known, seen):
        return ExceptionKind.UNKNOWN_CHARGE, tender.reference, seen.reference
    if seen.currency != tender.currency:
        return ExceptionKind.CURRENCY, tender.currency, seen.currency
    if seen.amount_minor != tender.amount_minor:
        return ExceptionKind.AMOUNT, str(tender.amount_minor), str(seen.amount_minor)
    if seen.state is ChargeState.CAPTURED and seen.captured_minor != tender.amount_minor:
        return ExceptionKind.AMOUNT, str(tender.amount_minor), str(seen.captured_minor)
    if tender.captured_minor and seen.state is not ChargeState.CAPTURED:
        return ExceptionKind.STATUS, tender.status, seen.state
    return None


def _state(tender: Tender, seen: Observation) -> Fact | None:
    has_ended = tender.status in TERMINAL and not tender.captured_minor
    match seen.state:
        case ChargeState.CAPTURED if not tender.captured_minor:
            return Captured(seen.reference, is_late=has_ended)
        case ChargeState.AUTHORIZED | ChargeState.OPEN if has_ended:
            return HeldAfterEnd(seen.reference)
        case ChargeState.ENDED if tender.status is PaymentStatus.AUTHORIZED:
            return Released()
    return None


def _refunds(known: Known, seen: Observation) -> Fact | None:
    by_reference = {refund.reference: refund for refund in known.refunds if refund.reference}
    asked_for = {operation.key for operation in known.tender.live}
    for refund in sorted(seen.refunds, key=lambda one: one.created_at):
        ours = by_reference.get(refund.reference)
        if refund.key in asked_for:
            continue  # its own saga finds out
        if refund.status == "failed" and ours and ours.status is RefundStatus.SUCCEEDED:
            return RefundCameBack(ours, refund.failure_code)
        # One that failed here and shows as made is an old picture; if it stays, reconciliation names it.
        if refund.status == "succeeded" and ours is None:
            return _made(known.tender, refund)
    return None


def _made(tender: Tender, refund: SeenRefund) -> RefundMade | Unsettled | Contradiction:
    left_minor = tender.captured_minor - tender.refunded_minor
    if refund.amount_minor <= left_minor - tender.refund_reserved_minor:
        return RefundMade(refund)
    if tender.refund_reserved_minor:
        # The gateway will refuse what we are asking for beside it: then there is room.
        return Unsettled("refunds of ours are under way")
    theirs = f"{-refund.amount_minor} {tender.currency}"
    return Contradiction(ExceptionKind.UNKNOWN_REFUND, refund.reference, "", theirs)


def _disputes(known: Sequence[KnownDispute], seen: Sequence[SeenDispute]) -> Fact | None:
    by_reference = {dispute.reference: dispute for dispute in known}
    for dispute in sorted(seen, key=lambda one: one.opened_at):
        ours = by_reference.get(dispute.reference)
        if ours is None:
            return DisputeOpened(dispute)
        if ours.status is DisputeStatus.OPEN and dispute.status is not DisputeStatus.OPEN:
            return DisputeClosed(ours, dispute)
    return None
