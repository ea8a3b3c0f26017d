"""How a call ended, as far as a breaker cares. Only what the other side did wrong speaks against it."""

from enum import Enum, auto


class CallOutcome(Enum):
    """The closed set of ends.

    REFUSAL: a business "no" (a declined card), which a healthy dependency says. CALLER_FAULT: our request was
    wrong. OVERLOAD: turned away (429, 503); a limiter's matter, and its Retry-After is heeded.
    SERVER_FAULT: it answered that it is broken. TRANSPORT: the connection broke. UNREACHABLE: none came about
    (refused, no such name), so that the next one will not either. CUT_SHORT: we left, or never came,
    for want of time of our own; it counts for nothing.
    """

    SUCCESS = auto()
    REFUSAL = auto()
    CALLER_FAULT = auto()
    OVERLOAD = auto()
    TIMEOUT = auto()
    SERVER_FAULT = auto()
    TRANSPORT = auto()
    UNREACHABLE = auto()
    CUT_SHORT = auto()


FAILURES = frozenset(
    {CallOutcome.TIMEOUT, CallOutcome.SERVER_FAULT, CallOutcome.TRANSPORT, CallOutcome.UNREACHABLE}
)
# So sure that fewer in a row are enough.
HARD = frozenset({CallOutcome.UNREACHABLE})
# Says nothing about health, for or against.
NEUTRAL = frozenset({CallOutcome.OVERLOAD})

_HARD_WEIGHT = 2


def weight(outcome: CallOutcome) -> int:
    """Return what it adds to the failures in a row; 0: it ends them."""
    if outcome in HARD:
        return _HARD_WEIGHT
    return 1 if outcome in FAILURES else 0
