"""What the payments context tells the world. Facts, in the past tense, as they were then.

`method_type` ("card", "boleto") is put in when a fact is told (payments/steps/telling.py).
"""

from dataclasses import dataclass
from uuid import UUID

from resilience.events import event_type


@event_type("payment.authorized", version=1, aggregate="payment")
@dataclass(frozen=True)
class PaymentAuthorized:
    """A gateway has reserved the amount."""

    payment_id: UUID
    order_id: UUID
    amount_minor: int
    currency: str
    gateway: str
    reference: str
    method_type: str = ""


@event_type("payment.action_required", version=1, aggregate="payment")
@dataclass(frozen=True)
class PaymentActionRequired:
    """The payer has to act (3-D Secure) before the amount can be reserved."""

    payment_id: UUID
    order_id: UUID
    url: str
    gateway: str
    reference: str


@event_type("payment.processing", version=1, aggregate="payment")
@dataclass(frozen=True)
class PaymentProcessing:
    """The gateway works on the payment and will say within days what became of it."""

    payment_id: UUID
    order_id: UUID
    gateway: str
    reference: str


@event_type("payment.declined", version=1, aggregate="payment")
@dataclass(frozen=True)
class PaymentDeclined:
    """The gateway definitively refused; no money moved."""

    payment_id: UUID
    order_id: UUID
    amount_minor: int
    currency: str
    code: str
    method_type: str = ""


@event_type("payment.captured", version=1, aggregate="payment")
@dataclass(frozen=True)
class PaymentCaptured:
    """The amount was taken."""

    payment_id: UUID
    order_id: UUID
    amount_minor: int
    currency: str
    gateway: str
    reference: str
    method_type: str = ""


@event_type("payment.voided", version=1, aggregate="payment")
@dataclass(frozen=True)
class PaymentVoided:
    """The payment ended without money having moved."""

    payment_id: UUID
    order_id: UUID


@event_type("payment.refunded", version=1, aggregate="payment")
@dataclass(frozen=True)
class PaymentRefunded:
    """Captured money was given back."""

    payment_id: UUID
    order_id: UUID
    amount_minor: int
    currency: str
    gateway: str
    refund_id: UUID
    method_type: str = ""


@event_type("payment.refund_failed", version=1, aggregate="payment")
@dataclass(frozen=True)
class PaymentRefundFailed:
    """A refund did not come about: the money is still here.

    `came_back`: it had been made and told, and the payer's bank sent it back.
    """

    payment_id: UUID
    order_id: UUID
    amount_minor: int
    currency: str
    gateway: str
    refund_id: UUID
    code: str
    came_back: bool


@event_type("payment.disputed", version=1, aggregate="payment")
@dataclass(frozen=True)
class PaymentDisputed:
    """The payer's bank took the money back, until the dispute is decided."""

    payment_id: UUID
    order_id: UUID
    amount_minor: int
    currency: str
    gateway: str
    dispute_id: UUID
    reason: str


@event_type("payment.dispute_closed", version=1, aggregate="payment")
@dataclass(frozen=True)
class PaymentDisputeClosed:
    """A dispute was decided; `outcome` is "won" (the money is back) or "lost" (it stays away)."""

    payment_id: UUID
    order_id: UUID
    amount_minor: int
    currency: str
    gateway: str
    dispute_id: UUID
    outcome: str


@event_type("gateway.notified", version=1, aggregate="gateway_notice")
@dataclass(frozen=True)
class GatewayNotified:
    """A gateway told us something of its own accord. `reference` is its id of the charge, "" for none."""

    notice_id: UUID
    gateway: str
    type: str
    reference: str
