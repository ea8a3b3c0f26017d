"""Give an order's money back, whatever became of it so far: let go of it or refund it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from payments import store
from payments.gateways.base import Capture, Refund, Void
from payments.states import TERMINAL, OperationKind, PaymentStatus, Phase
from payments.steps import remote_step
from payments.steps.authorize_payments import authorization
from payments.steps.exchange import Answered, Exchange, Mode
from payments.steps.interpret import voided
from payments.steps.remote_step import Intents
from payments.tenders import LiveOperation, Tender
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
        _end_unsent(tenders, now=runs[0].now)
        intents = Intents(runs[0].now)
        calls = {
            run.id: [
                _exchange(intents, tender)
                for tender in tenders[run.key]
                if tender.status not in TERMINAL and not _never_left(tender)
            ]
            for run in runs
        }
        intents.write()
        return calls

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        """Write what the gateway said; come back at once where an answer only settled a doubt."""
        outcomes = remote_step.record(runs, answers)
        return {run.id: _again_if_only_settled(outcomes[run.id], answers.get(run.id, ())) for run in runs}


def end_unsent_payments(*, order_ids: Sequence[UUID], now: datetime) -> None:
    """Void the payments of these orders that no gateway has ever seen; the others stay as they are."""
    _end_unsent(store.lock_tenders(order_ids), now=now)


def _end_unsent(tenders: Mapping[UUID, Sequence[Tender]], *, now: datetime) -> None:
    remote_step.write(
        [voided(tender) for of_order in tenders.values() for tender in of_order if _never_left(tender)],
        now=now,
    )


def _again_if_only_settled(outcome: Outcome, answers: Sequence[object]) -> Outcome:
    """Turn an end into "once more" where an answer only told the fate of a claim on money."""
    has_settled_claim = any(
        isinstance(answer, Answered) and answer.exchange.kind in _CLAIMING for answer in answers
    )
    if has_settled_claim and isinstance(outcome, Done | Refused):
        return Failed("a doubt is settled, the money goes back next", spends_attempt=False)
    return outcome


def _never_left(tender: Tender) -> bool:
    return tender.status is PaymentStatus.PENDING and all(
        operation.phase is Phase.PREPARED for operation in tender.live
    )


def _exchange(intents: Intents, tender: Tender) -> Exchange:
    live = _to_settle_first(tender)
    if live and live.kind is OperationKind.AUTHORIZE:
        # Asked, and if need be sent again, to be voided then: only so is it sure that no late
        # arrival reserves the payer's money after everybody has gone.
        return intents.again_for(tender, live, Mode.ASK, lambda key: authorization(tender, key))
    if live:
        return intents.again_for(
            tender, live, Mode.LOOK, lambda key: Capture(key, tender.reference, tender.amount_minor)
        )
    kind = OperationKind.REFUND if tender.status is PaymentStatus.CAPTURED else OperationKind.VOID
    begun = tender.live_of(kind)
    owed_minor = tender.captured_minor - tender.refunded_minor or tender.amount_minor
    # One key stands for one amount, whatever has been refunded beside it meanwhile.
    amount_minor = begun.amount_minor if begun else owed_minor

    def giving_back(key: str) -> Void | Refund:
        if kind is OperationKind.REFUND:
            return Refund(key, tender.reference, amount_minor)
        return Void(key, tender.reference)

    if begun is None:
        return intents.first(tender, kind, amount_minor, giving_back)
    return intents.again_for(tender, begun, Mode.ASK, giving_back)


def _to_settle_first(tender: Tender) -> LiveOperation | None:
    """Return the claim on money whose fate has to be known before any is given back.

    A payer who has not acted yet leaves no doubt: the attempt can be voided at once.
    """
    if tender.status is PaymentStatus.REQUIRES_ACTION:
        return None
    return next(
        (
            operation
            for operation in tender.live
            if operation.kind in _CLAIMING and operation.phase is not Phase.PREPARED
        ),
        None,
    )
