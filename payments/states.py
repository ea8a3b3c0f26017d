"""The states of payments, operations, refunds, disputes and notices, and the moves between them."""

from enum import StrEnum


class MethodType(StrEnum):
    """How a method pays. CARD and VOUCHER are held first and taken later; BOLETO is paid by its payer
    within days, and taken by that.
    """

    CARD = "card"
    BOLETO = "boleto"
    VOUCHER = "voucher"


# Paid by the payer's own act, hours or days later; never held, so that success means captured.
DELAYED = frozenset({MethodType.BOLETO})


class PaymentStatus(StrEnum):
    """What is known of a payment's money. Doubt is not a status: see `in_doubt_since`."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"
    REFUNDED = "refunded"


# From an open payment to CAPTURED directly: a delayed method, or by hand at the gateway before we looked.
EDGES: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.PENDING: frozenset(
        {
            PaymentStatus.REQUIRES_ACTION,
            PaymentStatus.PROCESSING,
            PaymentStatus.AUTHORIZED,
            PaymentStatus.CAPTURED,
            PaymentStatus.DECLINED,
            PaymentStatus.VOIDED,
        }
    ),
    PaymentStatus.REQUIRES_ACTION: frozenset(
        {
            PaymentStatus.PROCESSING,
            PaymentStatus.AUTHORIZED,
            PaymentStatus.CAPTURED,
            PaymentStatus.DECLINED,
            PaymentStatus.VOIDED,
        }
    ),
    PaymentStatus.PROCESSING: frozenset(
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

# No saga goes this way: what a gateway says after the end, and what then has to be given back (again).
LATE_EDGES: dict[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.DECLINED: frozenset({PaymentStatus.CAPTURED}),
    PaymentStatus.VOIDED: frozenset({PaymentStatus.CAPTURED}),
    PaymentStatus.REFUNDED: frozenset({PaymentStatus.CAPTURED}),
}

TERMINAL = frozenset({PaymentStatus.DECLINED, PaymentStatus.VOIDED, PaymentStatus.REFUNDED})
# Whether its money was taken is known.
SETTLED = TERMINAL | {PaymentStatus.CAPTURED}


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


class RefundStatus(StrEnum):
    """What became of a refund; FAILED may follow SUCCEEDED when the payer's bank sends it back."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


REFUND_EDGES: dict[RefundStatus, frozenset[RefundStatus]] = {
    RefundStatus.PENDING: frozenset({RefundStatus.SUCCEEDED, RefundStatus.FAILED}),
    RefundStatus.SUCCEEDED: frozenset({RefundStatus.FAILED}),
    RefundStatus.FAILED: frozenset(),
}


class RefundSource(StrEnum):
    """Who wanted a refund. RETURN: an order that ended; LATE: money that came after the end;
    GATEWAY: somebody at the gateway, past us.
    """

    REQUEST = "request"
    RETURN = "return"
    LATE = "late"
    GATEWAY = "gateway"


class DisputeStatus(StrEnum):
    """How a dispute stands."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


# A dispute that is heard of only after its end goes to that end at once.
DISPUTE_EDGES: dict[DisputeStatus, frozenset[DisputeStatus]] = {
    DisputeStatus.OPEN: frozenset({DisputeStatus.WON, DisputeStatus.LOST}),
    DisputeStatus.WON: frozenset(),
    DisputeStatus.LOST: frozenset(),
}


class NoticeStatus(StrEnum):
    """What was made of a gateway's notice. WAITING: for the payment that it is about."""

    RECEIVED = "received"
    WAITING = "waiting"
    APPLIED = "applied"
    IGNORED = "ignored"


NOTICE_EDGES: dict[NoticeStatus, frozenset[NoticeStatus]] = {
    NoticeStatus.RECEIVED: frozenset({NoticeStatus.WAITING, NoticeStatus.APPLIED, NoticeStatus.IGNORED}),
    NoticeStatus.WAITING: frozenset({NoticeStatus.APPLIED, NoticeStatus.IGNORED}),
    NoticeStatus.APPLIED: frozenset(),
    NoticeStatus.IGNORED: frozenset(),
}


class RunStatus(StrEnum):
    """How a reconciliation stands."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class ExceptionKind(StrEnum):
    """What differs between a gateway's list and ours."""

    AMOUNT = "amount_differs"
    CURRENCY = "currency_differs"
    STATUS = "status_differs"
    UNKNOWN_CHARGE = "unknown_charge"
    MISSING_CHARGE = "missing_charge"
    UNKNOWN_REFUND = "unknown_refund"
    MISSING_REFUND = "missing_refund"
    REFUND_AMOUNT = "refund_amount_differs"
    REFUND_FAILED = "refund_failed"
    UNKNOWN_LINE = "unknown_line"
    UNKNOWN_DISPUTE = "unknown_dispute"
    MISSING_DISPUTE = "missing_dispute"
    FEE = "fee_differs"
