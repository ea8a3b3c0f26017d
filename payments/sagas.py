"""The sagas of payments themselves; those of an order are in its own context."""

from datetime import timedelta

from payments.steps.refund_payments import RefundPayments
from payments.steps.release_refunds import ReleaseRefunds
from resilience.retry import RetryPolicy
from resilience.saga.definition import SagaDefinition, Step
from resilience.saga.registry import register

# A refund is owed: a gateway that is away for weeks does not end it.
REFUND_RETRY = RetryPolicy(wait_initial_s=0.5, wait_max_s=300.0)

REFUND_PAYMENT = register(
    SagaDefinition(
        name="refund_payment",
        version=1,
        steps=(Step("refund_payment", do=RefundPayments(), undo=ReleaseRefunds(), retry=REFUND_RETRY),),
        lasts_at_most=timedelta(days=30),
    )
)
