"""The words that faults, requests and the log share."""

from enum import StrEnum


class Operation(StrEnum):
    """What faults and the request log tell apart."""

    CREATE = "create"
    CONFIRM = "confirm"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"
    RETRIEVE = "retrieve"
    LIST = "list"
    AUTHENTICATE = "authenticate"
    PAY = "pay"
    EXPIRE = "expire"
    DISPUTE = "dispute"
    CONSOLE = "console"


# Answered from the book, without a change to it.
READS = frozenset({Operation.RETRIEVE, Operation.LIST})


class FaultKind(StrEnum):
    """What goes wrong; docs/sandbox.md says what the client sees and what the book holds afterwards."""

    LOSE_REQUEST = "lose_request"
    LOSE_ANSWER = "lose_answer"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    SLOW = "slow"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    THROTTLE = "throttle"
    GARBAGE = "garbage"
    TRUNCATE = "truncate"
    WRONG_AMOUNT = "wrong_amount"
    STALE_READS = "stale_reads"
    DOWN = "down"
    WEBHOOK_LATE = "webhook_late"
    WEBHOOK_TWICE = "webhook_twice"
    WEBHOOK_SHUFFLE = "webhook_shuffle"
    WEBHOOK_DROP = "webhook_drop"
    WEBHOOK_WRONG_AMOUNT = "webhook_wrong_amount"
    WEBHOOK_GARBAGE = "webhook_garbage"
    WEBHOOK_BAD_SIGNATURE = "webhook_bad_signature"
    CLOCK_SKEW = "clock_skew"


# When, how often and whether an event is told: drawn once per event.
PLAN_FAULTS = frozenset(
    {
        FaultKind.WEBHOOK_LATE,
        FaultKind.WEBHOOK_TWICE,
        FaultKind.WEBHOOK_SHUFFLE,
        FaultKind.WEBHOOK_DROP,
    }
)
# What is told: drawn at each attempt, so that a receiver which refuses it may get the truth later.
DELIVERY_FAULTS = frozenset(
    {
        FaultKind.WEBHOOK_WRONG_AMOUNT,
        FaultKind.WEBHOOK_GARBAGE,
        FaultKind.WEBHOOK_BAD_SIGNATURE,
        FaultKind.CLOCK_SKEW,
    }
)
# These meet deliveries, the others meet requests.
WEBHOOK_FAULTS = PLAN_FAULTS | DELIVERY_FAULTS
# Those that a test card can bring along: all but the one that is about the whole process.
TOKEN_FAULTS = frozenset(FaultKind) - {FaultKind.DOWN}
