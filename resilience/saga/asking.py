"""What a call to the outside may know of the saga that makes it, on whichever thread it runs."""

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from datetime import datetime
from typing import TypeVar

from resilience.deadlines import begin

T = TypeVar("T")

# A call that is cut short is a doubt, and a doubt costs more calls: the saga's own deadline, hours away when
# it starts, leaves a call at least this. Past it a saga only settles, with its steps' whole time.
CALL_S_MIN = 2.0

_tries: ContextVar[int] = ContextVar("saga_tries", default=1)


def tries() -> int:
    """Return the how-manyth time the saga is at its step, from 1."""
    return _tries.get()


def call_limit_s(timeout_s: float, *, now: datetime, deadline_at: datetime) -> float:
    """Return how long a step's calls may take: its own time, cut where the saga's deadline is near."""
    left_s = (deadline_at - now).total_seconds()
    return timeout_s if left_s <= 0.0 else min(timeout_s, max(left_s, CALL_S_MIN))


def in_context(act: Callable[[], T], *, limit_s: float, tries: int) -> Callable[[], T]:
    """Return `act` with `limit_s` from now as its deadline, for another thread: contexts do not cross."""
    context = copy_context()
    context.run(begin, limit_s)
    context.run(_tries.set, tries)
    return lambda: context.run(act)
