"""A payment as the steps that move money see it: locked, with what is under way at a gateway."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from payments.states import OperationKind, PaymentStatus, Phase


@dataclass(frozen=True)
class LiveOperation:
    """An operation that is not settled.

    `sent_at` is when the gateway may have carried it out last, as far as we know.
    """

    id: UUID
    kind: OperationKind
    gateway: str
    key: str
    amount_minor: int
    phase: Phase
    created_at: datetime
    sent_at: datetime | None


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
    live: tuple[LiveOperation, ...] = field(default=())

    def live_of(self, kind: OperationKind) -> LiveOperation | None:
        """Return the live operation of `kind`, if there is one."""
        return next((operation for operation in self.live if operation.kind is kind), None)
