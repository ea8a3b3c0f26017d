"""The deadline of what this thread is doing now.

A ContextVar: it does not cross to other threads by itself, so whoever hands work to one copies the context
(`contextvars.copy_context`). Remaining time is counted by the monotonic clock of this machine, because
those of two machines differ; over a wire goes what remains, not when it ends.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass

from resilience.errors import Operational


class DeadlineExceeded(Operational):
    """The time that the caller had given is over; what was begun is rolled back, and nothing was kept."""

    code = "deadline_exceeded"


@dataclass(eq=False)
class Deadline:
    """An end on the monotonic clock. Lifted once something was kept: the caller is to be told that."""

    expires_at: float
    is_lifted: bool = False

    def remaining_s(self) -> float | None:
        """Return what is left in seconds, below zero when it is over; None when it is lifted."""
        return None if self.is_lifted else self.expires_at - time.monotonic()

    def refuse_if_over(self) -> None:
        """Raise DeadlineExceeded when nothing is left."""
        left_s = self.remaining_s()
        if left_s is not None and left_s <= 0.0:
            raise exceeded()


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def exceeded() -> DeadlineExceeded:
    """Return the error of a caller's time being over."""
    return DeadlineExceeded("The time given for this request is over. Nothing was done; send it again.")


def current() -> Deadline | None:
    """Return the deadline of this thread's work, if it has one."""
    return _current.get()


def remaining_s() -> float | None:
    """Return what is left in seconds, at or below zero when it is over; None without a deadline."""
    deadline = _current.get()
    return None if deadline is None else deadline.remaining_s()


def refuse_if_over() -> None:
    """Raise DeadlineExceeded when nothing is left."""
    deadline = _current.get()
    if deadline is not None:
        deadline.refuse_if_over()


def patience_s() -> float | None:
    """Return how long the caller still waits, also where the deadline is lifted; None: nobody said."""
    deadline = _current.get()
    return None if deadline is None else deadline.expires_at - time.monotonic()


def bounded_s(limit_s: float) -> float:
    """Return a limit for the next wait: `limit_s`, or what is left if that is less.

    Raises DeadlineExceeded when nothing is left.
    """
    left_s = remaining_s()
    if left_s is None:
        return limit_s
    if left_s <= 0.0:
        raise exceeded()
    return min(limit_s, left_s)


def begin(seconds: float) -> Token[Deadline | None]:
    """Give this thread's work `seconds` from now, or what it had left if that is less; until `end`."""
    expires_at = time.monotonic() + seconds
    outer = _current.get()
    if outer is not None and not outer.is_lifted:
        expires_at = min(expires_at, outer.expires_at)
    return _current.set(Deadline(expires_at))


def end(token: Token[Deadline | None]) -> None:
    """Go back to the deadline from before `begin`."""
    _current.reset(token)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Do the block within `seconds`, or within what was left before if that is less."""
    token = begin(seconds)
    try:
        yield
    finally:
        end(token)
