"""Circuit breakers: a dependency that is down is not called, by any process, and comes back gently.

    call = breaker("gateway:sandbox-1").enter()      # raises CircuitOpen; nothing was sent
    call.done(CallOutcome.SUCCESS, took_s)           # however it ended

The danger, the promise and the use: docs/breakers.md.
"""

from resilience.breaker.call import Call
from resilience.breaker.circuit import Circuit
from resilience.breaker.errors import CircuitOpen
from resilience.breaker.outcomes import CallOutcome
from resilience.breaker.policy import BreakerPolicy
from resilience.breaker.process import breaker, declare
from resilience.breaker.registry import is_name
from resilience.breaker.standing import Standing, fleet_standings, standing_of, standings
from resilience.breaker.states import BreakerState, Force

__all__ = [
    "BreakerPolicy",
    "BreakerState",
    "Call",
    "CallOutcome",
    "Circuit",
    "CircuitOpen",
    "Force",
    "Standing",
    "breaker",
    "declare",
    "fleet_standings",
    "is_name",
    "standing_of",
    "standings",
]
