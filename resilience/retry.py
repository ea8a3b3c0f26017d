"""When to try again: full jitter on exponential backoff, with a cap.

The danger: retries that agree on a time arrive together and keep a recovering server down.
The cure (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): wait
`uniform(0, min(cap, base * 2**n))`, a real number, not whole seconds.
"""

from dataclasses import dataclass
from random import Random

# 2**n beyond this is above any cap and, much later, above a float.
_EXPONENT_MAX = 32


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to wait. `attempts_max` None: until the saga's deadline."""

    wait_initial_s: float = 0.2
    wait_max_s: float = 30.0
    attempts_max: int | None = None


def full_jitter_s(policy: RetryPolicy, *, attempt: int, random: Random) -> float:
    """Return the wait in seconds before attempt `attempt + 1` (`attempt` >= 1).

    Uniform over [0, min(wait_max_s, wait_initial_s * 2**(attempt - 1))].
    """
    ceiling_s = policy.wait_initial_s * 2.0 ** min(attempt - 1, _EXPONENT_MAX)
    return random.uniform(0.0, min(policy.wait_max_s, ceiling_s))
