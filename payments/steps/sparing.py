"""Asking a gateway again only as often as it bears: the retry budget of its account (docs/retries.md)."""

from collections.abc import Callable
from typing import TypeVar

from payments.gateways.base import InDoubt, NotSent, Throttled
from resilience.budgets import budget_of
from resilience.retry import Trouble
from resilience.saga.asking import tries

# Of a saga's tries at one step each tenth is made whatever the budget says: no saga starves behind others,
# and all sagas together add a tenth at most. Its waits grow to 30 s, so that it asks within five minutes.
ANYWAY_EVERY = 10

T = TypeVar("T")


def sparingly(account: str, trouble: Trouble | None, ask: Callable[[], T]) -> T | NotSent:
    """Return what `ask` answers, or NotSent when it is a retry that the budget of `account` has no room for.

    NotSent says what is true: nobody was asked. What was in doubt stays in doubt, and no attempt is spent.
    """
    budget = budget_of(account)
    paid = 0 if trouble is None else budget.pay(trouble, is_due=tries() % ANYWAY_EVERY == 0)
    if paid is None:
        return NotSent("not asked again: the retry budget is spent")
    answer = ask()
    if _was_held_back(answer):
        # By a breaker, or for want of a permit. It was no retry, and a long outage would else leave nothing
        # for those that end it.
        budget.give_back(paid)
        return answer
    budget.note(trouble, succeeded=_is_heard(answer))
    return answer


def _was_held_back(answer: object) -> bool:
    return isinstance(answer, NotSent) and answer.retry_after_s is not None


def _is_heard(answer: object) -> bool:
    """Tell whether the gateway works: also a decline, and "no trace yet", are words of a healthy one."""
    match answer:
        case NotSent() | Throttled():
            return False
        case InDoubt(clears_at=clears_at):
            return clears_at is not None
        case _:
            return True
