"""The sagas of payments themselves; those of an order are in its own context."""

from datetime import datetime, timedelta
from uuid import UUID

from payments.steps.observe_payments import ObservePayments, ReleaseHolds
from payments.steps.refund_payments import RefundPayments
from payments.steps.release_refunds import ReleaseRefunds
from payments.steps.report_unmade_refunds import report_unmade_refunds
from resilience.retry import RetryPolicy
from resilience.saga.definition import SagaDefinition, Step
from resilience.saga.registry import register
from resilience.saga.start import start

# A refund is owed: a gateway that is away for weeks does not end it.
REFUND_RETRY = RetryPolicy(
    wait_initial_s=0.5, wait_max_s=300.0, when_overloaded=RetryPolicy(wait_initial_s=2.0, wait_max_s=300.0)
)
# A look that fails is followed by others; reconciliation finds in any case what no look has found.
LOOK_RETRY = RetryPolicy(
    wait_initial_s=0.5,
    wait_max_s=60.0,
    attempts_max=20,
    when_overloaded=RetryPolicy(wait_initial_s=2.0, wait_max_s=60.0),
)

REFUND_PAYMENT = register(
    SagaDefinition(
        name="refund_payment",
        version=1,
        steps=(Step("refund_payment", do=RefundPayments(), undo=ReleaseRefunds(), retry=REFUND_RETRY),),
        lasts_at_most=timedelta(days=30),
        on_compensated=report_unmade_refunds,
        subject="refund_id",
    )
)


def start_refund(refund_id: UUID, payment_id: UUID, now: datetime) -> None:
    """Start the saga of a refund whose amount is reserved; inside `atomic`."""
    start(REFUND_PAYMENT, business_key=refund_id, data={"payment_id": str(payment_id)}, now=now)


OBSERVE_PAYMENT = register(
    SagaDefinition(
        name="observe_payment",
        version=1,
        steps=(
            Step("observe", do=ObservePayments(start_refund=start_refund), retry=LOOK_RETRY),
            # What is held for nobody is let go, however long it takes.
            Step("release_hold", do=ReleaseHolds(), retry=REFUND_RETRY),
        ),
        lasts_at_most=timedelta(days=7),
        subject="notice_id",
    )
)
