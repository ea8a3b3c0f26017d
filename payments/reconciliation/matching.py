"""What a line of a gateway's list means beside our books: pure, one verdict per line.

The danger: a match by amount alone, or by what the line says of itself. A line is matched by the gateway's
id of what moved the money, and only if amount and currency are ours too. Whatever is under way is not
judged, and a difference is only a reason to look: reads of a gateway lag behind each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from payments.gateways.base import LineKind, StatementLine
from payments.states import DisputeStatus, ExceptionKind, RefundStatus
from payments.store import Difference


@dataclass(frozen=True)
class OurCharge:
    """A payment of ours. `is_under_way`: an operation of it is not settled, so its saga will find out."""

    id: UUID
    order_id: UUID
    reference: str
    amount_minor: int
    currency: str
    captured_minor: int
    is_under_way: bool


@dataclass(frozen=True)
class OurRefund:
    """A refund of ours, at the gateway under `reference`."""

    id: UUID
    payment_id: UUID
    reference: str
    amount_minor: int
    status: RefundStatus


@dataclass(frozen=True)
class OurDispute:
    """A dispute of ours."""

    id: UUID
    payment_id: UUID
    reference: str
    amount_minor: int
    currency: str
    status: DisputeStatus


@dataclass(frozen=True)
class Books:
    """What is ours of a page: by the gateway's ids of charge, refund and dispute; fees by line id."""

    gateway: str
    charges: Mapping[str, OurCharge] = field(default_factory=dict)
    refunds: Mapping[str, OurRefund] = field(default_factory=dict)
    disputes: Mapping[str, OurDispute] = field(default_factory=dict)
    fees: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Matched:
    """The line is ours. `fact`: its name in our ledger, "" where nothing of ours moved money.

    `fee_minor`: what the gateway kept and is not booked yet.
    """

    fact: str = ""
    fee_minor: int = 0
    charge: OurCharge | None = None


@dataclass(frozen=True)
class UnderWay:
    """Operations of ours are not settled: nothing is judged."""

    reason: str
    fact: str = ""


@dataclass(frozen=True)
class NeedsLook:
    """Ask the gateway about the charge `reference`; if that explains nothing, it is `otherwise`."""

    reference: str
    otherwise: Difference
    fact: str = ""


@dataclass(frozen=True)
class Differs:
    """Nothing explains it. `fact` of ours that the line is about, if it is known."""

    difference: Difference
    fact: str = ""


Verdict = Matched | UnderWay | NeedsLook | Differs

_ASKING = "operations of the payment are not settled"


def judge(line: StatementLine, books: Books) -> Verdict:
    """Return what `line` means beside `books`."""
    verdict = _JUDGES[line.kind](line, books)
    return _with_fee(line, verdict, books) if isinstance(verdict, Matched) else verdict


def difference_of(
    kind: ExceptionKind,
    line: StatementLine,
    books: Books,
    *,
    reference: str,
    ours: str = "",
    theirs: str | None = None,
) -> Difference:
    """Return the difference that `line` is, with the payment that it is about, if it is ours."""
    charge = books.charges.get(line.reference)
    return Difference(
        gateway=books.gateway,
        kind=kind,
        reference=reference,
        ours=ours,
        theirs=money(line.amount_minor, line.currency) if theirs is None else theirs,
        payment_id=charge.id if charge else None,
        order_id=charge.order_id if charge else None,
        occurred_at=line.created_at,
    )


def money(amount_minor: int, currency: str) -> str:
    """Write an amount as exceptions do: minor units and currency."""
    return f"{amount_minor} {currency}"


def _charge(line: StatementLine, books: Books) -> Verdict:
    ours = books.charges.get(line.reference)
    unknown = difference_of(ExceptionKind.UNKNOWN_CHARGE, line, books, reference=line.reference or line.id)
    if ours is None:
        return _look(line, unknown)
    fact = f"capture:{ours.id}"
    is_same = (line.amount_minor, line.currency) == (ours.captured_minor, ours.currency)
    if ours.captured_minor and is_same:
        return Matched(fact, charge=ours)
    if ours.is_under_way:
        return UnderWay(_ASKING, fact)
    if not ours.captured_minor:
        return _look(line, replace(unknown, ours=money(0, ours.currency)), fact)
    if line.currency != ours.currency:
        kind, words = ExceptionKind.CURRENCY, (ours.currency, line.currency)
    else:
        amounts = ours.captured_minor, line.amount_minor
        kind, words = ExceptionKind.AMOUNT, (str(amounts[0]), str(amounts[1]))
    difference = difference_of(kind, line, books, reference=line.reference, ours=words[0], theirs=words[1])
    return Differs(difference, fact)


def _refund(line: StatementLine, books: Books) -> Verdict:
    ours, charge = books.refunds.get(line.source), books.charges.get(line.reference)
    unknown = difference_of(ExceptionKind.UNKNOWN_REFUND, line, books, reference=line.source or line.id)
    fact = f"refund:{ours.id}" if ours else ""
    if charge and charge.is_under_way:
        return UnderWay(_ASKING, fact)
    if ours is None:
        return _look(line, unknown)
    if ours.status is RefundStatus.PENDING:
        return UnderWay("the refund has not ended", fact)
    if charge and (line.amount_minor, line.currency) != (-ours.amount_minor, charge.currency):
        kind, words = ExceptionKind.REFUND_AMOUNT, money(-ours.amount_minor, charge.currency)
        return Differs(difference_of(kind, line, books, reference=line.source, ours=words), fact)
    if ours.status is RefundStatus.FAILED:
        # It may have come back, and then another line says so; or it was made after all.
        return _look(line, replace(unknown, kind=ExceptionKind.STATUS, ours=ours.status), fact)
    return Matched(fact, charge=charge)


def _refund_failed(line: StatementLine, books: Books) -> Verdict:
    ours, charge = books.refunds.get(line.source), books.charges.get(line.reference)
    kind, words = ExceptionKind.STATUS, ours.status if ours else ""
    difference = difference_of(
        kind, line, books, reference=line.source or line.id, ours=words, theirs="failed"
    )
    fact = f"refund_failed:{ours.id}" if ours else ""
    if charge and charge.is_under_way:
        return UnderWay(_ASKING, fact)
    if ours is None or ours.status is not RefundStatus.FAILED:
        return _look(line, difference, fact)
    if charge and (line.amount_minor, line.currency) != (ours.amount_minor, charge.currency):
        words, theirs = money(ours.amount_minor, charge.currency), money(line.amount_minor, line.currency)
        kind = ExceptionKind.REFUND_AMOUNT
        return Differs(replace(difference, kind=kind, ours=words, theirs=theirs), fact)
    return Matched(fact, charge=charge)


def _dispute(line: StatementLine, books: Books) -> Verdict:
    return _of_dispute(line, books, fact_kind="dispute_opened", sign=-1, ended=None)


def _dispute_won(line: StatementLine, books: Books) -> Verdict:
    return _of_dispute(line, books, fact_kind="dispute_won", sign=1, ended=DisputeStatus.WON)


def _of_dispute(
    line: StatementLine, books: Books, *, fact_kind: str, sign: int, ended: DisputeStatus | None
) -> Verdict:
    ours, charge = books.disputes.get(line.source), books.charges.get(line.reference)
    difference = difference_of(ExceptionKind.UNKNOWN_DISPUTE, line, books, reference=line.source or line.id)
    if ours is None:
        return UnderWay(_ASKING) if charge and charge.is_under_way else _look(line, difference)
    fact = f"{fact_kind}:{ours.id}"
    if (line.amount_minor, line.currency) != (sign * ours.amount_minor, ours.currency):
        words = money(sign * ours.amount_minor, ours.currency)
        return Differs(replace(difference, kind=ExceptionKind.AMOUNT, ours=words), fact)
    if ended and ours.status is not ended:
        return _look(
            line, replace(difference, kind=ExceptionKind.STATUS, ours=ours.status, theirs=ended), fact
        )
    return Matched(fact, charge=charge)


def _other(line: StatementLine, books: Books) -> Verdict:
    if line.amount_minor == 0 and line.fee_minor == 0:
        return Matched()
    return Differs(difference_of(ExceptionKind.UNKNOWN_LINE, line, books, reference=line.id))


def _look(line: StatementLine, otherwise: Difference, fact: str = "") -> Verdict:
    if not line.reference:
        return Differs(otherwise, fact)
    return NeedsLook(line.reference, otherwise, fact)


def _with_fee(line: StatementLine, matched: Matched, books: Books) -> Verdict:
    booked_minor = books.fees.get(line.id)
    if booked_minor is None and line.fee_minor >= 0:
        return replace(matched, fee_minor=line.fee_minor)
    if booked_minor == line.fee_minor:
        return matched
    # The ledger never changes what is booked, and has no word for a fee that is given back.
    words = {"ours": money(booked_minor or 0, line.currency), "theirs": money(line.fee_minor, line.currency)}
    return Differs(difference_of(ExceptionKind.FEE, line, books, reference=line.id, **words), matched.fact)


_JUDGES = {
    LineKind.CHARGE: _charge,
    LineKind.REFUND: _refund,
    LineKind.REFUND_FAILED: _refund_failed,
    LineKind.DISPUTE: _dispute,
    LineKind.DISPUTE_WON: _dispute_won,
    LineKind.OTHER: _other,
}
