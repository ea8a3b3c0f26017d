"""What follows from a gateway's word: the changes, the fact, the bookings, and the outcome for the saga."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payments import events
from payments.gateways.base import Evidence
from payments.states import OperationOutcome, PaymentStatus, Phase
from payments.store import OperationChange, PaymentChange, RefundChange
from payments.tenders import Tender
from resilience.saga.outcomes import Outcome

Fact = (
    events.PaymentAuthorized
    | events.PaymentActionRequired
    | events.PaymentProcessing
    | events.PaymentDeclined
    | events.PaymentCaptured
    | events.PaymentVoided
    | events.PaymentRefunded
    | events.PaymentRefundFailed
    | events.PaymentDisputed
    | events.PaymentDisputeClosed
)


@dataclass(frozen=True)
class Meaning:
    """What follows from one answer."""

    outcome: Outcome
    operations: tuple[OperationChange, ...] = ()
    payment: PaymentChange | None = None
    refund: RefundChange | None = None
    fact: Fact | None = None

    def with_evidence(self, operation_id: UUID, evidence: Evidence | None) -> "Meaning":
        """Return it with the gateway's words kept beside the operation they are about."""
        if evidence is None:
            return self
        # Made anew by name: `replace` looks every field up, and took a twelfth of a worker's time.
        operations = tuple(
            OperationChange(
                id=change.id,
                phase=change.phase,
                outcome=change.outcome,
                reference=change.reference,
                error=change.error,
                sent_at=change.sent_at,
                evidence=evidence,
            )
            if change.id == operation_id
            else change
            for change in self.operations
        )
        return Meaning(self.outcome, operations, self.payment, self.refund, self.fact)


def settled(
    operation_id: UUID, outcome: OperationOutcome, *, reference: str = "", error: str = ""
) -> OperationChange:
    """Return the end of an operation."""
    return OperationChange(operation_id, Phase.SETTLED, outcome, reference, error)


def others_settled(
    tender: Tender, operation_id: UUID, outcome: OperationOutcome
) -> tuple[OperationChange, ...]:
    """Return the end of what else is live of the same payment."""
    return tuple(settled(other.id, outcome) for other in tender.live if other.id != operation_id)


def change_of(
    tender: Tender,
    status: PaymentStatus,
    *,
    captured_minor: int | None = None,
    refunded_delta: int = 0,
    reserved_delta: int = 0,
    gateway: str = "",
    reference: str = "",
    action_type: str = "",
    action_url: str = "",
    action_until: datetime | None = None,
    decline_code: str = "",
    capture_before: datetime | None = None,
    is_in_doubt: bool = False,
    is_late: bool = False,
) -> PaymentChange:
    """Return a change of `tender` to `status`; what is not named stays, an action and a doubt end."""
    return PaymentChange(
        id=tender.id,
        expected=tender.status,
        status=status,
        captured_minor=tender.captured_minor if captured_minor is None else captured_minor,
        refunded_delta=refunded_delta,
        reserved_delta=reserved_delta,
        gateway=gateway or tender.gateway,
        reference=reference or tender.reference,
        action_type=action_type,
        action_url=action_url,
        action_until=action_until,
        decline_code=decline_code or tender.decline_code,
        capture_before=capture_before or tender.capture_before,
        is_in_doubt=is_in_doubt,
        is_late=is_late,
    )
