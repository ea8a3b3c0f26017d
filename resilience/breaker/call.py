"""A call that a breaker let through."""

from typing import Protocol

from resilience.breaker.outcomes import CallOutcome


class Counting(Protocol):
    """Who counts how a call ended."""

    def end(self, call: "Call", outcome: CallOutcome, took_s: float, retry_after_s: float | None) -> None:
        """Count it."""


class Call:
    """One call; `done` is told once, however it ended. Told again, it counts no more."""

    __slots__ = ("_counting", "epoch", "is_counted", "started_at", "token")

    def __init__(self, counting: Counting, started_at: float, epoch: int, token: str) -> None:
        self._counting = counting
        self.started_at = started_at
        self.epoch = epoch
        self.token = token
        # As slow, while it was out.
        self.is_counted = False

    @property
    def is_probe(self) -> bool:
        """Whether it finds out if the dependency is back: better a read than a write."""
        return self.token != ""

    def done(self, outcome: CallOutcome, took_s: float, *, retry_after_s: float | None = None) -> None:
        """Tell how it ended. `retry_after_s`: for how long the other side wants to be left alone."""
        self._counting.end(self, outcome, took_s, retry_after_s)
