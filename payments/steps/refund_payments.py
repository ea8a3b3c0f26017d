"""Give back a part of what was captured: the step of the refund saga, keyed by refund id."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from payments import store
from payments.gateways.base import Refund
from payments.states import OperationKind
from payments.steps import remote_step
from payments.steps.exchange import Exchange, Mode
from payments.steps.remote_step import Intents
from payments.steps.unsettled import why_not_refunded
from payments.tenders import PendingRefund, Tender
from resilience.saga.definition import Call, Run
from resilience.saga.outcomes import Outcome


class RefundPayments:
    """A saga step keyed by refund id: done when the gateway has given the amount back."""

    def prepare(self, runs: Sequence[Run]) -> Mapping[UUID, Sequence[Call]]:
        """Write an intent for each refund that has not ended; nothing is left to do for the others."""
        tenders, refunds = store.lock_pending_refunds([run.key for run in runs])
        intents = Intents(runs[0].now)
        calls: dict[UUID, Sequence[Call]] = {
            run.id: [refund_exchange(intents, tenders[refunds[run.key].payment_id], refunds[run.key])]
            if run.key in refunds
            else []
            for run in runs
        }
        intents.write()
        return calls

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        """Write what the gateway said of each refund."""
        return remote_step.record(runs, answers)

    def unsettled(self, run: Run) -> str:
        """Say why a person may not take this as done."""
        return why_not_refunded(run)


def refund_exchange(
    intents: Intents, tender: Tender, refund: PendingRefund, *, mode: Mode = Mode.ASK
) -> Exchange:
    """Return the exchange that gives `refund` back: the first, or one in `mode` under the same key."""

    def request(key: str) -> Refund:
        return Refund(key, tender.reference, refund.amount_minor, tender.currency)

    live = tender.live_of_refund(refund.id)
    if live:
        return intents.again_for(tender, live, mode, request)
    return intents.first(tender, OperationKind.REFUND, refund.amount_minor, request, refund_id=refund.id)
