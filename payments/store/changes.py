"""What can be written about payments, operations and refunds, and why a write is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payments.states import (
    MethodType,
    OperationKind,
    OperationOutcome,
    PaymentStatus,
    Phase,
    RefundSource,
    RefundStatus,
)
from resilience.errors import Operational


@dataclass(frozen=True)
class NewPayment:
    """A payment to be opened."""

    order_id: UUID
    client: str
    position: int
    method: str
    amount_minor: int
    currency: str
    method_type: MethodType = MethodType.CARD


@dataclass(frozen=True)
class NewOperation:
    """An intent: written, as sent, in the transaction before the call. `refund_id` for refunds only."""

    id: UUID
    payment_id: UUID
    kind: OperationKind
    gateway: str
    key: str
    amount_minor: int
    refund_id: UUID | None = None


@dataclass(frozen=True)
class NewRefund:
    """A refund that is wanted; its amount is reserved on its payment."""

    id: UUID
    payment_id: UUID
    amount_minor: int
    source: RefundSource
    reason: str = ""


@dataclass(frozen=True)
class RefundChange:
    """What became of a refund; `expected` is the status it must still have."""

    id: UUID
    expected: RefundStatus
    status: RefundStatus
    reference: str = ""
    failure_code: str = ""


@dataclass(frozen=True)
class OperationChange:
    """What became of an operation. `outcome` is set exactly when `phase` is SETTLED.

    `sent_at`: the gateway may have carried it out as late as this. `evidence` is its answer, redacted.
    """

    id: UUID
    phase: Phase
    outcome: OperationOutcome | None = None
    reference: str = ""
    error: str = ""
    sent_at: datetime | None = None
    evidence: Mapping[str, object] | None = None


@dataclass(frozen=True)
class PaymentChange:
    """What became of a payment; `expected` is the status it must still have.

    `captured_minor` is the new total; refunds run side by side, so theirs are differences, and all of
    them together make a captured payment REFUNDED. `is_late`: a fact from the gateway after the end.
    """

    id: UUID
    expected: PaymentStatus
    status: PaymentStatus
    captured_minor: int
    gateway: str
    reference: str
    refunded_delta: int = 0
    reserved_delta: int = 0
    action_type: str = ""
    action_url: str = ""
    action_until: datetime | None = None
    decline_code: str = ""
    capture_before: datetime | None = None
    is_in_doubt: bool = False
    is_late: bool = False


class IllegalTransitionError(AssertionError):
    """A payment or refund was to move along an edge that does not exist: a bug."""


class ConcurrentTransitionError(Operational):
    """A payment, operation or refund changed under a transaction that had not locked it."""

    code = "concurrent_transition"
