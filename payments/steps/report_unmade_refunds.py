"""Show a person the refunds that nobody asked for, that are owed all the same, and that could not be made.

The danger: money that came after its order had ended, refused by the gateway as a refund, and then kept.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from payments import store
from payments.models import Refund
from payments.states import ExceptionKind, RefundSource, RefundStatus
from payments.store import Difference
from resilience.saga.definition import Run
from resilience.saga.outcomes import Done, Outcome


def report_unmade_refunds(runs: Sequence[Run]) -> Mapping[UUID, Outcome]:
    """Open an exception for each refund of these keys that gave back late money, and failed.

    Who asked for a refund is told by its status, and a cancellation is parked; behind these stands nobody.
    """
    unmade = Refund.objects.filter(
        pk__in=[run.key for run in runs], source=RefundSource.LATE, status=RefundStatus.FAILED
    )
    store.open_exceptions(
        [
            Difference(
                refund.payment.gateway,
                ExceptionKind.REFUND_FAILED,
                refund.payment.reference,
                f"to be refunded {refund.amount_minor}",
                refund.failure_code,
                refund.payment_id,
                refund.payment.order_id,
            )
            for refund in unmade.select_related("payment").order_by("id")
        ],
        now=runs[0].now,
    )
    return {run.id: Done() for run in runs}
