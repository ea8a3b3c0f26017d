"""How long to wait before the next try: one pure function.

The danger: retries that agree on a time arrive together and keep a recovering server down.
The cure (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): a random, real-valued
wait. Celery's whole seconds make the retries of a second meet again; a cap that is applied after the
jitter (tenacity's `wait_exponential_jitter`, stamina) makes all of them meet at the cap.
"""

from random import Random

from resilience.retry.policy import Jitter, RetryPolicy

# 2**n beyond this is above any cap and, much later, above a float.
_EXPONENT_MAX = 32
# How much longer than the one before a decorrelated wait may be (the article's own number).
_DECORRELATED_GROWTH = 3.0


def wait_s(policy: RetryPolicy, *, attempt: int, random: Random, previous_s: float | None = None) -> float:
    """Return the wait in seconds before attempt `attempt + 1` (`attempt` >= 1).

    With `bound = min(wait_max_s, wait_initial_s * 2**(attempt - 1))`, so that the cap comes before chance,
    and U(a, b) real-valued and uniform:

    - FULL: U(0, bound). The article's "Full Jitter".
    - NONE: bound. The article's "Expo", exponential backoff without jitter.
    - EQUAL: bound/2 + U(0, bound/2). The article's "Equal Jitter".
    - DECORRELATED: U(wait_initial_s, min(wait_max_s, 3 * previous_s)). The article's "Decorrelated
      Jitter" is `min(cap, U(base, 3 * previous))`: capped after chance, two thirds of all waits at the
      cap are the cap itself, and whoever failed together meets again there.

    `previous_s` is the wait before, for DECORRELATED; None where it is not known counts as `wait_initial_s`.
    Draws one number from `random`, none for NONE.
    """
    if policy.jitter is Jitter.DECORRELATED:
        least_s = min(policy.wait_initial_s, policy.wait_max_s)
        grown_s = _DECORRELATED_GROWTH * max(previous_s or 0.0, least_s)
        return random.uniform(least_s, min(policy.wait_max_s, grown_s))
    bound_s = min(policy.wait_max_s, policy.wait_initial_s * 2.0 ** min(attempt - 1, _EXPONENT_MAX))
    match policy.jitter:
        case Jitter.FULL:
            return random.uniform(0.0, bound_s)
        case Jitter.EQUAL:
            return random.uniform(bound_s / 2.0, bound_s)
        case Jitter.NONE:
            return bound_s
