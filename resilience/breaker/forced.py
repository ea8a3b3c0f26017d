"""What a person has decided about a breaker."""

from dataclasses import dataclass

from resilience.breaker.states import Force


@dataclass(frozen=True)
class Override:
    """A decision in force until `until` (seconds of the reader's clock), when it ends by itself."""

    force: Force
    owner: str
    reason: str
    until: float
