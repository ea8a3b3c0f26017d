"""How often something is tried, and in which rhythm: plain facts, declared beside what they are for."""

from dataclasses import dataclass
from enum import Enum, auto

from resilience.retry.trouble import Trouble


class Jitter(Enum):
    """How chance spreads the waits; the formulae are in `waits`.

    FULL: anywhere up to the bound. NONE: the bound itself. EQUAL: its upper half.
    DECORRELATED: grows from the wait before, not from the number of tries.
    """

    FULL = auto()
    NONE = auto()
    EQUAL = auto()
    DECORRELATED = auto()


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to wait for one dependency, declared by whoever asks it.

    `attempts_max` None: until the deadline of whoever asks. `when_overloaded` is the rhythm after the other
    side said that it has too much to do, the same one without it.
    """

    wait_initial_s: float = 0.2
    wait_max_s: float = 30.0
    attempts_max: int | None = None
    jitter: Jitter = Jitter.FULL
    when_overloaded: "RetryPolicy | None" = None

    def __post_init__(self) -> None:
        if min(self.wait_initial_s, self.wait_max_s) < 0.0:
            raise ValueError("a wait is never negative")

    def under(self, trouble: Trouble) -> "RetryPolicy":
        """Return the policy for this class of error."""
        return (trouble is Trouble.OVERLOAD and self.when_overloaded) or self
