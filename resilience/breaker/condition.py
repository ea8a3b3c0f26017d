"""What a breaker does next: pure, and the same for a process by itself and for the whole fleet."""

from dataclasses import dataclass, replace
from math import ceil
from random import Random

from resilience.breaker.policy import BreakerPolicy
from resilience.breaker.states import BreakerState

# Decorrelated jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
_GROWTH = 3.0


@dataclass(frozen=True)
class Condition:
    """Where a breaker stands. Times are seconds of the reader's clock.

    `until`: when OPEN may be probed, or RAMPING is over. `wait_s`: how long it was open last, 0 once it has
    closed. `version` grows with each move; a proposal that names an older one is void.
    """

    state: BreakerState = BreakerState.CLOSED
    version: int = 0
    since: float = 0.0
    until: float = 0.0
    wait_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Figures:
    """What is known of the calls: of one process (`is_fleet` False), or of all.

    `streak`: failures since the last answer, hard ones twice. `failing_workers` of `reporting_workers`.
    `retry_after_s`: what is left of the other side's own wish.
    """

    total: int = 0
    failed: int = 0
    slow: int = 0
    streak: int = 0
    failing_workers: int = 0
    reporting_workers: int = 0
    probes_passed: int = 0
    probes_failed: int = 0
    retry_after_s: float = 0.0
    is_fleet: bool = False


def following(
    policy: BreakerPolicy, condition: Condition, figures: Figures, *, now: float, random: Random
) -> Condition | None:
    """Return the condition that comes next; None: it stays."""
    match condition.state:
        case BreakerState.CLOSED:
            reason = why_it_trips(policy, figures)
            return opened(policy, condition, figures, reason, now=now, random=random) if reason else None
        case BreakerState.OPEN:
            return _moved(condition, BreakerState.HALF_OPEN, now=now) if now >= condition.until else None
        case BreakerState.HALF_OPEN:
            if figures.probes_failed:
                return opened(policy, condition, figures, "probe_failed", now=now, random=random)
            if figures.probes_passed >= policy.probes_needed:
                return _moved(condition, BreakerState.RAMPING, now=now, until=now + policy.ramp_s)
            return None
        case BreakerState.RAMPING:
            reason = why_it_trips(policy, figures)
            if reason:
                return opened(policy, condition, figures, reason, now=now, random=random)
            if now >= condition.until:
                return replace(_moved(condition, BreakerState.CLOSED, now=now), wait_s=0.0, reason="")
            return None


def why_it_trips(policy: BreakerPolicy, figures: Figures) -> str:
    """Return what speaks for opening, "" when nothing does or too few workers see it."""
    if figures.is_fleet and figures.failing_workers < quorum(policy, figures.reporting_workers):
        return ""
    if figures.streak >= policy.failures_in_row:
        return "failures_in_row"
    if figures.total < policy.calls_min:
        return ""
    if figures.failed >= policy.failure_rate * figures.total:
        return "failures"
    return "slow_calls" if figures.slow >= policy.slow_rate * figures.total else ""


def quorum(policy: BreakerPolicy, reporting_workers: int) -> int:
    """Return how many workers must fail before the fleet opens."""
    return max(policy.failing_min, ceil(policy.failing_share * reporting_workers))


def fails(policy: BreakerPolicy, *, total: int, failed: int, slow: int, streak: int) -> bool:
    """Tell whether a worker's own calls speak against the dependency, however few they are."""
    return streak > 0 or (
        total > 0 and (failed >= policy.failure_rate * total or slow >= policy.slow_rate * total)
    )


def opened(
    policy: BreakerPolicy,
    condition: Condition,
    figures: Figures,
    reason: str,
    *,
    now: float,
    random: Random,
) -> Condition:
    """Return `condition` opened: for longer than last time, and never shorter than the other side wishes."""
    wait_s = next_wait_s(policy, last_s=condition.wait_s, random=random)
    wished_s = min(figures.retry_after_s, policy.retry_after_max_s)
    moved = _moved(condition, BreakerState.OPEN, now=now, until=now + max(wait_s, wished_s))
    return replace(moved, wait_s=wait_s, reason=reason)


def next_wait_s(policy: BreakerPolicy, *, last_s: float, random: Random) -> float:
    """Return how long to stay open after `last_s` (0: the first time)."""
    ceiling_s = max(policy.open_initial_s, last_s) * _GROWTH
    return min(policy.open_max_s, random.uniform(policy.open_initial_s, ceiling_s))


def admitted_share(policy: BreakerPolicy, condition: Condition, *, now: float) -> float:
    """Return which share of the calls passes while it is RAMPING (Envoy's slow start)."""
    length_s = condition.until - condition.since
    gone = min(1.0, max(0.0, (now - condition.since) / length_s)) if length_s > 0 else 1.0
    return max(policy.ramp_share_min, float(gone ** (1.0 / policy.ramp_aggression)))


def _moved(condition: Condition, state: BreakerState, *, now: float, until: float = 0.0) -> Condition:
    return replace(condition, state=state, version=condition.version + 1, since=now, until=until)
