"""The states of a breaker, the moves between them, and what a person may force upon one."""

from enum import StrEnum


class BreakerState(StrEnum):
    """CLOSED: calls pass. OPEN: none does. HALF_OPEN: leased probes do. RAMPING: a growing share does."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    RAMPING = "ramping"


EDGES: dict[BreakerState, frozenset[BreakerState]] = {
    BreakerState.CLOSED: frozenset({BreakerState.OPEN}),
    BreakerState.OPEN: frozenset({BreakerState.HALF_OPEN}),
    BreakerState.HALF_OPEN: frozenset({BreakerState.OPEN, BreakerState.RAMPING}),
    BreakerState.RAMPING: frozenset({BreakerState.OPEN, BreakerState.CLOSED}),
}


class Force(StrEnum):
    """What a person has forced upon a breaker. METRICS_ONLY: it counts and judges, and stops nothing."""

    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"
    METRICS_ONLY = "metrics_only"
