"""The states of a payment and of an operation, and the moves between them."""

from enum import StrEnum


class PaymentStatus(StrEnum):
    """What is known of a payment's money. Doubt is not a status: see `in_doubt_since`."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"
    REFUNDED = "refunded"


EDGES: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.PENDING: frozenset(
        {
            PaymentStatus.REQUIRES_ACTION,
            PaymentStatus.AUTHORIZED,
            PaymentStatus.DECLINED,
            PaymentStatus.VOIDED,
        }
    ),
    # Captured: by hand, at the gateway, after the payer acted and before we looked.
    PaymentStatus.REQUIRES_ACTION: frozenset(
        {
            PaymentStatus.AUTHORIZED,
            PaymentStatus.CAPTURED,
            PaymentStatus.DECLINED,
            PaymentStatus.VOIDED,
        }
    ),
    PaymentStatus.AUTHORIZED: frozenset({PaymentStatus.CAPTURED, PaymentStatus.VOIDED}),
    PaymentStatus.CAPTURED: frozenset({PaymentStatus.REFUNDED}),
    PaymentStatus.DECLINED: frozenset(),
    PaymentStatus.VOIDED: frozenset(),
    PaymentStatus.REFUNDED: frozenset(),
}

TERMINAL = frozenset({PaymentStatus.DECLINED, PaymentStatus.VOIDED, PaymentStatus.REFUNDED})


class OperationKind(StrEnum):
    """What is asked of a gateway."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class Phase(StrEnum):
    """How far an operation has come.

    PREPARED: provably not at the gateway, safe to send. SENT: may be at the gateway, no answer
    yet; after a crash that is a doubt. IN_DOUBT: asked and not answered. SETTLED: the outcome stands.
    """

    PREPARED = "prepared"
    SENT = "sent"
    IN_DOUBT = "in_doubt"
    SETTLED = "settled"


class OperationOutcome(StrEnum):
    """How a settled operation ended. ABANDONED: proven never to have happened; its key is dead."""

    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    ABANDONED = "abandoned"
