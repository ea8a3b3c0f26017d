"""What is left of a difference after the gateway was asked about it: pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from payments.gateways.base import ChargeState, LineKind, Observation, StatementLine
from payments.reconciliation.books import Unmentioned
from payments.reconciliation.looking import Looked
from payments.reconciliation.matching import Differs, Matched, NeedsLook, UnderWay, Verdict, money
from payments.states import ExceptionKind
from payments.store import Difference

# What a gateway shows of a charge may be this much ahead of its list; longer, and it is not in the list.
LIST_LAGS_MAX = timedelta(hours=1)

_MISSING_OF = {
    "capture": ExceptionKind.MISSING_CHARGE,
    "refund": ExceptionKind.MISSING_REFUND,
    "dispute": ExceptionKind.MISSING_DISPUTE,
}
THEIRS_LENGTH_MAX = 255


def conclude(line: StatementLine, verdict: NeedsLook, looked: Looked) -> Verdict:
    """Return the end of a line that our books do not explain, nor what was booked since."""
    if looked.unsettled:
        return UnderWay(looked.unsettled, verdict.fact)
    if line.kind in (LineKind.REFUND, LineKind.REFUND_FAILED) and _has_come_and_gone(line, looked.seen):
        return Matched(verdict.fact)
    if line.kind is LineKind.CHARGE and _contradicts(looked, line.reference):
        return Differs(_contradicting(verdict.otherwise, looked), verdict.fact)
    return Differs(_named(verdict.otherwise, looked), verdict.fact)


def conclude_missing(
    ours: Unmentioned, kind: str, looked: Looked, *, gateway: str, is_whole_list: bool, now: datetime
) -> UnderWay | Differs:
    """Return the end of a fact of ours that no line mentioned. `kind`: capture, refund or dispute.

    One that the gateway shows may be older in its list than a part of the list goes back.
    """
    if looked.unsettled or looked.booked:
        return UnderWay(looked.unsettled or "what the gateway shows was booked only now")
    is_shown = looked.seen is not None and _shows(ours, kind, looked.seen)
    if is_shown and not (is_whole_list and now - ours.occurred_at > LIST_LAGS_MAX):
        return UnderWay("the gateway shows it, and its list not yet")
    difference = Difference(
        gateway,
        _MISSING_OF[kind],
        ours.reference or str(ours.id),
        ours=money(ours.amount_minor, ours.currency),
        theirs="shown, but not in the list" if is_shown else "",
        payment_id=ours.payment_id,
        order_id=ours.order_id,
        occurred_at=ours.occurred_at,
    )
    if kind == "capture" and _contradicts(looked, ours.charge):
        return Differs(_contradicting(difference, looked))
    return Differs(_named(difference, looked))


def _has_come_and_gone(line: StatementLine, seen: Observation | None) -> bool:
    """Tell whether the refund of the line has failed: two lines of the list then undo each other."""
    return seen is not None and any(
        refund.reference == line.source and refund.status == "failed" for refund in seen.refunds
    )


def _shows(ours: Unmentioned, kind: str, seen: Observation) -> bool:
    if kind == "capture":
        shown = (seen.reference, seen.state, seen.captured_minor, seen.currency)
        return shown == (ours.charge, ChargeState.CAPTURED, ours.amount_minor, ours.currency)
    if kind == "refund":
        refunds = {
            refund.reference: refund.amount_minor for refund in seen.refunds if refund.status != "failed"
        }
        return refunds.get(ours.reference) == ours.amount_minor
    disputes = {dispute.reference: dispute.amount_minor for dispute in seen.disputes}
    return disputes.get(ours.reference) == ours.amount_minor


def _contradicts(looked: Looked, charge: str) -> bool:
    """Tell whether the charge itself is not what we asked for; of its refunds, their own lines say."""
    return looked.contradiction is not None and looked.contradiction.reference == charge


def _contradicting(difference: Difference, looked: Looked) -> Difference:
    """Return the difference in the words of what contradicts it: why it is not ours, not only that."""
    contradiction = looked.contradiction
    assert contradiction is not None, "only a contradiction has words"  # noqa: S101
    return replace(
        _named(difference, looked),
        kind=contradiction.kind,
        ours=contradiction.ours,
        theirs=contradiction.theirs,
    )


def _named(difference: Difference, looked: Looked) -> Difference:
    return replace(
        difference,
        payment_id=difference.payment_id or looked.payment_id,
        order_id=difference.order_id or looked.order_id,
        theirs=" ".join(filter(None, (difference.theirs, looked.trouble)))[:THEIRS_LENGTH_MAX],
    )
