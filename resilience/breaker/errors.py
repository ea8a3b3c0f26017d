"""What a caller is told whose call does not take place."""

from resilience.errors import Operational


class CircuitOpen(Operational):
    """The dependency is known to be down: nothing was sent, and nothing should be before `retry_after_s`."""

    code = "circuit_open"

    def __init__(self, *, breaker: str, retry_after_s: float, reason: str) -> None:
        super().__init__(
            f"{breaker} is not called: its breaker is open ({reason}); come back in {retry_after_s:.1f} s.",
            breaker=breaker,
            reason=reason,
            retry_after_s=retry_after_s,
        )
        self.breaker = breaker
        self.reason = reason
        self.retry_after_s = retry_after_s
