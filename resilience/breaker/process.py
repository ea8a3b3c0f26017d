"""The one registry of this process, on its pulse."""

from resilience import pulse
from resilience.breaker.circuit import Circuit
from resilience.breaker.member import Breakers
from resilience.breaker.policy import BreakerPolicy
from resilience.breaker.registry import Registry

# Module state, because what it counts is this process's.
registry = Registry(hurry=pulse.hurry)
pulse.join(Breakers(registry))


def breaker(name: str) -> Circuit:
    """Return the breaker for `name` ("redis", "gateway:sandbox-1"); cheap, so ask for it at every call.

    Raises ValueError for what cannot be a name.
    """
    pulse.ensure_running()
    return registry.get(name)


def declare(kind: str, policy: BreakerPolicy) -> None:
    """Let every breaker `kind` and `kind:…` go by `policy`; at import, before the first use."""
    registry.declare(kind, policy)
