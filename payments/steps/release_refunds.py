"""Let go of what was reserved for refunds that will not be made.

The danger: an amount let go while its refund is on its way, and given back once more by the next.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from payments import events, store
from payments.states import OperationOutcome, Phase, RefundStatus
from payments.steps import remote_step
from payments.steps.exchange import Mode
from payments.steps.meaning import Meaning, change_of, settled
from payments.steps.refund_payments import refund_exchange
from payments.steps.remote_step import Intents
from payments.steps.unsettled import why_not_refunded
from payments.store import RefundChange
from payments.tenders import PendingRefund, Tender
from resilience.saga.definition import Call, Run
from resilience.saga.outcomes import Done, Outcome, Refused

# Why a refund ended that the gateway never refused: it could not be asked in time.
COULD_NOT_BE_MADE = "could_not_be_made"


class ReleaseRefunds:
    """A compensation keyed by refund id: done when the refund has ended, one way or the other.

    A saga never turns round by itself while it is in doubt, but a person may turn one round. So what may
    be at the gateway is looked for first, and let go only if it provably never came there.
    """

    def prepare(self, runs: Sequence[Run]) -> Mapping[UUID, Sequence[Call]]:
        """Fail each refund that never left; ask after each one that did. The others have ended already."""
        tenders, refunds = store.lock_pending_refunds([run.key for run in runs])
        now = runs[0].now
        _release([(tenders[refund.payment_id], refund) for refund in refunds.values()], now=now)
        intents = Intents(now)
        calls: dict[UUID, Sequence[Call]] = {
            run.id: [refund_exchange(intents, tenders[refund.payment_id], refund, mode=Mode.LOOK)]
            if (refund := refunds.get(run.key)) and not _never_left(tenders[refund.payment_id], refund)
            else []
            for run in runs
        }
        intents.write()
        return calls

    def record(self, runs: Sequence[Run], answers: Mapping[UUID, Sequence[object]]) -> Mapping[UUID, Outcome]:
        """Write what the gateway said; one that it has refused has ended as well."""
        outcomes = remote_step.record(runs, answers)
        return {
            run_id: Done() if isinstance(outcome, Refused) else outcome
            for run_id, outcome in outcomes.items()
        }

    def unsettled(self, run: Run) -> str:
        """Say why a person may not take this as done."""
        return why_not_refunded(run)


def _never_left(tender: Tender, refund: PendingRefund) -> bool:
    live = tender.live_of_refund(refund.id)
    return live is None or live.phase is Phase.PREPARED


def _release(refunds: Sequence[tuple[Tender, PendingRefund]], *, now: datetime) -> None:
    """Write the end of those that never left.

    One after the other, because two of one payment would be two changes of one row.
    """
    for tender, refund in refunds:
        if _never_left(tender, refund):
            remote_step.write([_released(tender, refund)], now=now)


def _released(tender: Tender, refund: PendingRefund) -> Meaning:
    live = tender.live_of_refund(refund.id)
    return Meaning(
        Done(),
        (settled(live.id, OperationOutcome.ABANDONED),) if live else (),
        change_of(tender, tender.status, reserved_delta=-refund.amount_minor),
        RefundChange(refund.id, RefundStatus.PENDING, RefundStatus.FAILED, failure_code=COULD_NOT_BE_MADE),
        events.PaymentRefundFailed(
            tender.id,
            tender.order_id,
            refund.amount_minor,
            tender.currency,
            tender.gateway,
            refund.id,
            COULD_NOT_BE_MADE,
            came_back=False,
        ),
    )
