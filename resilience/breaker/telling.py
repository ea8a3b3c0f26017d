"""What a process tells the fleet of one breaker at this beat."""

from resilience.breaker.circuit import Circuit
from resilience.breaker.condition import Condition, following
from resilience.breaker.report import Proposal, Report
from resilience.breaker.states import BreakerState

# A closed breaker that nobody used for this long is not talked about: of the many breakers of a process
# (one for each endpoint, say) few are busy.
ATTENTION_S = 60.0


def report_of(circuit: Circuit, *, now: float) -> Report | None:
    """Return the news of `circuit`, None while nobody uses it. What it tells is told once."""
    circuit.count_overdue(now)
    with circuit.lock:
        if _is_idle(circuit, now):
            return None
        tally, policy = circuit.tally, circuit.policy
        untold = tally.take_untold()
        held = circuit.leases.held(now)
        return Report(
            name=circuit.name,
            version=circuit.footing.fleet.version,
            total=untold.total,
            failed=untold.failed,
            slow=untold.slow,
            answered_ago_s=None if untold.answered_at is None else now - untold.answered_at,
            streak=untold.streak,
            streak_ago_s=now - untold.streak_since if untold.streak else 0.0,
            is_reporting=tally.is_reporting(now),
            is_failing=tally.is_failing(now) or circuit.footing.own.state is not BreakerState.CLOSED,
            retry_after_s=tally.wished_s(now),
            leases_wanted=circuit.leases.wanted,
            leases_held=held,
            leases_ended=circuit.leases.take_ended(),
            proposal=_proposal(circuit, now),
            probes_at_once=policy.probes_at_once,
            probes_needed=policy.probes_needed,
            lease_s=policy.lease_s,
        )


def has_proposal(circuit: Circuit, *, now: float) -> bool:
    """Tell whether the fleet should move, so that its next beat should not be waited for."""
    with circuit.lock:
        return _proposal(circuit, now) is not None


def _is_idle(circuit: Circuit, now: float) -> bool:
    return (
        circuit.footing.governing().state is BreakerState.CLOSED
        and not circuit.in_flight
        and now - circuit.used_at > ATTENTION_S
    )


def _proposal(circuit: Circuit, now: float) -> Proposal | None:
    if circuit.footing.forgotten_from is not None:
        # The fleet's memory was wiped, and this process remembers.
        return _proposed(
            circuit.footing.governing(),
            circuit.footing.forgotten_from,
            circuit.footing.version_heard + 1,
            now,
        )
    moved = following(
        circuit.policy, circuit.footing.fleet, circuit.footing.fleet_figures, now=now, random=circuit.random
    )
    if moved is None:
        return None
    return _proposed(moved, circuit.footing.fleet.version, moved.version, now)


def _proposed(condition: Condition, expected_version: int, version: int, now: float) -> Proposal:
    return Proposal(
        expected_version=expected_version,
        version=version,
        state=condition.state,
        lasts_s=max(0.0, condition.until - now),
        wait_s=condition.wait_s,
        reason=condition.reason,
    )
