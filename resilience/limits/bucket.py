"""One key's allowance as a process knows it: pure, so that rates are tested without a clock.

The danger: a count that is asked for at each request costs a network call, and fails with whoever counts; a
count of one's own lets a client have its rate once for each process. So each process spends by itself, and at
every beat of the pulse settles with the fleet: it reports what it has spent, and hears what is left and how
many share it.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Limit:
    """So many requests a second on average (`per_s`), and so many at once after a pause (`burst`)."""

    per_s: float
    burst: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.per_s) and self.per_s > 0):
            raise ValueError(f"a limit lets some requests pass: per_s is {self.per_s}, not above 0")
        if self.burst < 1:
            raise ValueError(f"a limit lets at least one request pass at once: burst is {self.burst}")

    @property
    def refill_s(self) -> float:
        """How long an empty bucket takes to be full."""
        return self.burst / self.per_s


class Allowance(NamedTuple):
    """What is said of a request: whether it may pass, and what its headers tell.

    `remaining`: how many more this process would let pass now; `full_in_s`: when all of `limit.burst` are
    back; `retry_after_s`: when one is (0 for who may pass). A tuple, because each request makes one.
    """

    limit: Limit
    is_allowed: bool
    remaining: int
    full_in_s: float
    retry_after_s: float


@dataclass(frozen=True)
class Report:
    """What a process has spent since it made the bucket, and how much of that was settled when last heard."""

    total: int
    settled: int


class Bucket:
    """Tokens of one key in one process. Not thread-safe; times are monotonic seconds.

    A process that has not heard of the fleet's bucket believes that it is full, so that after a pause a
    client gets its burst from whichever process it meets. What several of them give too much is a debt of
    the fleet's bucket, paid back before anything else is given.
    """

    def __init__(self, limit: Limit, *, now_s: float) -> None:
        self.limit = limit
        self.asked_at = now_s
        self.refused = 0
        self._tokens = float(limit.burst)
        self._share = 1.0
        self._refilled_at = now_s
        self._total = self._reported = self._settled = 0

    def take(self, *, now_s: float) -> Allowance:
        """Take one token, if there is one."""
        self._refill(now_s)
        self.asked_at = now_s
        is_allowed = self._tokens >= 1.0
        if is_allowed:
            self._tokens -= 1.0
            self._total += 1
        else:
            self.refused += 1
        return Allowance(
            limit=self.limit,
            is_allowed=is_allowed,
            remaining=max(0, math.floor(self._tokens)),
            full_in_s=max(0.0, self.limit.burst - self._tokens) / self.limit.per_s,
            retry_after_s=0.0 if is_allowed else self._one_in_s(),
        )

    def report(self) -> Report:
        """Return what is to be told to the fleet."""
        self._reported = self._total
        return Report(self._total, self._settled)

    def settle(self, *, left: float, sharers: int, now_s: float) -> None:
        """Hear what the fleet has left after the last report, and how many processes share it."""
        self._settled = self._reported
        self._share = 1.0 / max(1, sharers)
        # A debt is everybody's, and so is a last token: shared, nobody could ever give it. What was spent
        # since the report comes off.
        mine = max(1.0, left * self._share) if left > 1.0 else left
        self._tokens = mine - (self._total - self._settled)
        self._refilled_at = now_s

    def write_off(self) -> None:
        """Keep to oneself what was spent while nobody could be told: the share was kept to meanwhile."""
        self._settled = self._reported = self._total

    def is_settled(self) -> bool:
        """Tell whether there is nothing to report."""
        return self._total == self._settled

    def is_full(self, *, now_s: float) -> bool:
        """Tell whether nothing would be lost if this bucket were forgotten."""
        self._refill(now_s)
        return self.is_settled() and self._tokens >= self._full()

    def _refill(self, now_s: float) -> None:
        """Add this process's share of what has come since; all of it while there is a debt to pay."""
        passed_s = max(0.0, now_s - self._refilled_at)
        self._refilled_at = now_s
        if self._tokens < 0:
            paying_s = min(passed_s, -self._tokens / self.limit.per_s)
            self._tokens += paying_s * self.limit.per_s
            passed_s -= paying_s
        full = max(self._tokens, self._full())
        self._tokens = min(full, self._tokens + passed_s * self.limit.per_s * self._share)

    def _full(self) -> float:
        return max(1.0, self.limit.burst * self._share)

    def _one_in_s(self) -> float:
        debt, credit = max(0.0, -self._tokens), max(0.0, self._tokens)
        return (debt + (1.0 - credit) / self._share) / self.limit.per_s
