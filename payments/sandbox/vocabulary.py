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


class FaultKind(StrEnum):
    """What goes wrong; docs/sandbox.md says what the client sees and what the book holds afterwards."""

    LOSE_ANSWER = "lose_answer"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    SLOW = "slow"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    THROTTLE = "throttle"
    GARBAGE = "garbage"
    DOWN = "down"
    WEBHOOK_LATE = "webhook_late"
    WEBHOOK_TWICE = "webhook_twice"
    WEBHOOK_SHUFFLE = "webhook_shuffle"
    WEBHOOK_DROP = "webhook_drop"


# These meet deliveries, the others meet requests.
WEBHOOK_FAULTS = frozenset(kind for kind in FaultKind if kind.startswith("webhook_"))
