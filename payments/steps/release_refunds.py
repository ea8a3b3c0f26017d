"""Let go of what was reserved for refunds that will not be made."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from payments import events, store
from payments.states import OperationOutcome, RefundStatus
from payments.steps import remote_step
from payments.steps.meaning import Meaning, change_of, settled
from payments.store import RefundChange
from payments.tenders import PendingRefund, Tender
from resilience.saga.definition import Run
from resilience.saga.outcomes import Done, Outcome

# Why a refund ended that the gateway never refused: it could not be asked in time.
COULD_NOT_BE_MADE = "could_not_be_made"


def release_refunds(runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
    """Fail each refund that has not ended; what the gateway refused has ended already.

    A saga never turns round while it is in doubt, so that what is live here provably never left.
    """
    refunds = store.pending_refunds([run.key for run in runs])
    tenders = store.lock_payments([refund.payment_id for refund in refunds.values()])
    remote_step.write(
        [_released(tenders[refund.payment_id], refund) for refund in refunds.values()], now=runs[0].now
    )
    return {run.id: Done() for run in runs}


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
