"""A payment as the steps that move money see it: locked, with what is under way at a gateway."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from payments.states import MethodType, OperationKind, PaymentStatus, Phase, RefundSource


@dataclass(frozen=True)
class LiveOperation:
    """An operation that is not settled.

    `sent_at` is when the gateway may have carried it out last, as far as we know.
    `refund_id` is set for refunds.
    """

    id: UUID
    kind: OperationKind
    gateway: str
    key: str
    amount_minor: int
    phase: Phase
    created_at: datetime
    sent_at: datetime | None
    refund_id: UUID | None = None


@dataclass(frozen=True)
class Tender:
    """A payment with its live operations, locked by the transaction that read it."""

    id: UUID
    order_id: UUID
    method: str
    amount_minor: int
    currency: str
    status: PaymentStatus
    captured_minor: int
    refunded_minor: int
    gateway: str
    reference: str
    action_url: str
    action_until: datetime | None
    decline_code: str = ""
    method_type: MethodType = MethodType.CARD
    refund_reserved_minor: int = 0
    capture_before: datetime | None = None
    live: tuple[LiveOperation, ...] = field(default=())

    def live_of(self, kind: OperationKind) -> LiveOperation | None:
        """Return the live operation of `kind`, if there is one; refunds are asked for by their id."""
        return next((operation for operation in self.live if operation.kind is kind), None)

    def live_of_refund(self, refund_id: UUID) -> LiveOperation | None:
        """Return the live operation of this refund, if there is one."""
        return next((operation for operation in self.live if operation.refund_id == refund_id), None)

    @property
    def is_waiting_for_payer(self) -> bool:
        """Whether the gateway has taken it up and nothing is in doubt, only not decided yet."""
        return self.status in (PaymentStatus.REQUIRES_ACTION, PaymentStatus.PROCESSING)


@dataclass(frozen=True)
class PendingRefund:
    """A refund that is wanted and has not ended; its amount is reserved on its payment."""

    id: UUID
    payment_id: UUID
    amount_minor: int
    source: RefundSource
