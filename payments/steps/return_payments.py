"""Give an order's money back, whatever became of it so far: let go of it or refund it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from payments import store
from payments.gateways.base import Capture, Void
from payments.states import TERMINAL, OperationKind, PaymentStatus, Phase, RefundSource
from payments.steps import remote_step
from payments.steps.authorize_payments import authorization
from payments.steps.exchange import Answered, Exchange, Mode
from payments.steps.interpret import voided
from payments.steps.refund_payments import refund_exchange
from payments.steps.remote_step import Intents, NotYet
from payments.steps.unsettled import why_not_returned
from payments.store import NewRefund
from payments.tenders import LiveOperation, PendingRefund, Tender
from resilience.ids import new_id
from resilience.saga.definition import Call, Run
from resilience.saga.outcomes import Done, Failed, Outcome, Refused

_CLAIMING = (OperationKind.AUTHORIZE, OperationKind.CAPTURE)


class ReturnPayments:
    """A compensation keyed by order id: done when no money of the order is held or taken.

    A tender whose authorization or capture is in doubt is asked about first; what the answer shows
    is given back on the next attempt.
    """

    def prepare(self, runs: Sequence[Run]) -> Mapping[UUID, Sequence[Call]]:
        """End what never reached a gateway; write an intent for each tender that did."""
        tenders = store.lock_tenders([run.key for run in runs])
        now = runs[0].now
        _end_unsent(tenders, now=now)
        captured = [tender.id for tender in _all(tenders) if tender.status is PaymentStatus.CAPTURED]
        refunds = store.pending_refunds_of(captured) if captured else {}
        new_refunds: list[NewRefund] = []
        intents = Intents(now)
        calls: dict[UUID, Sequence[Call]] = {
            run.id: [
                _refund(intents, tender, refunds[tender.id], new_refunds)
                if tender.status is PaymentStatus.CAPTURED
                else _letting_go(intents, tender)
                for tender in tenders[run.key]
                if tender.status not in TERMINAL and not _never_left(tender)
            ]
            for run in runs
        }
        store.reserve_refunds(new_refunds, now=now)
        intents.write()
        return calls

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        """Write what the gateway said; come back at once where an answer only settled a doubt."""
        outcomes = remote_step.record(runs, answers)
        return {run.id: _again_if_only_settled(outcomes[run.id], answers.get(run.id, ())) for run in runs}

    def unsettled(self, run: Run) -> str:
        """Say why a person may not take this as done."""
        return why_not_returned(run)


def end_unsent_payments(*, order_ids: Sequence[UUID], now: datetime) -> None:
    """Void the payments of these orders that no gateway has ever seen; the others stay as they are."""
    _end_unsent(store.lock_tenders(order_ids), now=now)


def _end_unsent(tenders: Mapping[UUID, Sequence[Tender]], *, now: datetime) -> None:
    remote_step.write(
        [voided(tender) for tender in _all(tenders) if _never_left(tender)],
        now=now,
    )


def _all(tenders: Mapping[UUID, Sequence[Tender]]) -> list[Tender]:
    return [tender for of_order in tenders.values() for tender in of_order]


def _again_if_only_settled(outcome: Outcome, answers: Sequence[object]) -> Outcome:
    """Turn an end into "once more" where an answer only told the fate of a claim on money."""
    has_settled_claim = any(
        isinstance(answer, Answered) and answer.exchange.kind in _CLAIMING for answer in answers
    )
    if has_settled_claim and isinstance(outcome, Done | Refused):
        return Failed(
            "a doubt is settled, the money goes back next", spends_attempt=False, made_progress=True
        )
    return outcome


def _never_left(tender: Tender) -> bool:
    return tender.status is PaymentStatus.PENDING and all(
        operation.phase is Phase.PREPARED for operation in tender.live
    )


def _refund(intents: Intents, tender: Tender, pending: Sequence[PendingRefund], new: list[NewRefund]) -> Call:
    """Refund what is left, once those refunds have ended that were begun beside us."""
    ours = next((refund for refund in pending if refund.source is RefundSource.RETURN), None)
    if ours:
        return refund_exchange(intents, tender, ours)
    if pending:
        return NotYet("another refund of the payment is under way")
    rest_minor = tender.captured_minor - tender.refunded_minor
    rest = PendingRefund(new_id(), tender.id, rest_minor, RefundSource.RETURN)
    new.append(NewRefund(rest.id, tender.id, rest_minor, rest.source))
    return refund_exchange(intents, tender, rest)


def _letting_go(intents: Intents, tender: Tender) -> Exchange:
    live = _to_settle_first(tender)
    if live and live.kind is OperationKind.AUTHORIZE:
        # Asked, and if need be sent again, to be voided then: only so is it sure that no late
        # arrival reserves the payer's money after everybody has gone.
        return intents.again_for(tender, live, Mode.ASK, lambda key: authorization(tender, key))
    if live:
        return intents.again_for(
            tender,
            live,
            Mode.LOOK,
            lambda key: Capture(key, tender.reference, tender.amount_minor, tender.currency),
        )
    begun = tender.live_of(OperationKind.VOID)

    def void(key: str) -> Void:
        return Void(key, tender.reference, tender.currency)

    if begun is None:
        return intents.first(tender, OperationKind.VOID, tender.amount_minor, void)
    return intents.again_for(tender, begun, Mode.ASK, void)


def _to_settle_first(tender: Tender) -> LiveOperation | None:
    """Return the claim on money whose fate has to be known before any is given back.

    A payer who has not acted yet leaves no doubt: the attempt can be voided at once.
    """
    if tender.is_waiting_for_payer:
        return None
    return next(
        (
            operation
            for operation in tender.live
            if operation.kind in _CLAIMING and operation.phase is not Phase.PREPARED
        ),
        None,
    )
