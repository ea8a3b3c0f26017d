"""Trying a short operation again at once, in the process, for as long as somebody waits for it.

For what is over in a moment (a lost race, a reset connection). What may take longer is a saga's step, which
waits in the database and not in a thread.
"""

import time
from collections.abc import Callable
from random import Random
from typing import TypeVar

from resilience.deadlines import remaining_s
from resilience.retry.budget import Budget
from resilience.retry.policy import RetryPolicy
from resilience.retry.trouble import Trouble
from resilience.retry.waits import wait_s

T = TypeVar("T")

# Where the policy names no number: more, and a caller waits longer for an error than for an answer.
ATTEMPTS_MAX = 3


def call(
    act: Callable[[], T],
    *,
    policy: RetryPolicy,
    trouble_of: Callable[[Exception], Trouble | None],
    random: Random,
    budget: Budget | None = None,
    pause: Callable[[float], object] = time.sleep,
) -> T:
    """Return what `act` returns, trying it again after errors that `trouble_of` gives a class.

    `act` must be harmless to repeat. Raises its last error: at once where it has no class; when the attempts
    are used up; when the wait would not end before the deadline; when `budget` has nothing left.
    """
    attempt, waited_s, trouble = 0, None, None
    while True:
        attempt += 1
        try:
            answer = act()
        except Exception as error:
            found = trouble_of(error)
            # What is not worth another try is an answer: the other side works.
            _note(budget, trouble, succeeded=found is None)
            if found is None:
                raise
            under = policy.under(found)
            waited_s = wait_s(under, attempt=attempt, previous_s=waited_s, random=random)
            if attempt >= (under.attempts_max or ATTEMPTS_MAX) or not _is_in_time(waited_s):
                raise
            if budget is not None and not budget.allows(found):
                raise
            trouble = found
            pause(waited_s)
        else:
            _note(budget, trouble, succeeded=True)
            return answer


def _note(budget: Budget | None, trouble: Trouble | None, *, succeeded: bool) -> None:
    if budget is not None:
        budget.note(trouble, succeeded=succeeded)


def _is_in_time(waited_s: float) -> bool:
    left_s = remaining_s()
    return left_s is None or waited_s < left_s
