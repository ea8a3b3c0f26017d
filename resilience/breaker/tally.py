"""What one process has seen of its calls: its window, its streak, and what it has not told the fleet yet."""

from resilience.breaker.condition import Figures, fails
from resilience.breaker.outcomes import FAILURES, NEUTRAL, CallOutcome, weight
from resilience.breaker.policy import BreakerPolicy
from resilience.breaker.window import Window

# A worker whose last call is older has nothing to say on health: ten calls a minute over a fleet of
# twenty still make a quorum.
REPORTING_S = 30.0


class Tally:
    """Not thread-safe: its owner holds a lock."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self.window = Window()
        self.streak = 0
        self.passed = 0
        self.probes_failed = 0
        self._wished_until = 0.0
        self._ended_at = -REPORTING_S
        self.untold = Untold()

    def count(self, outcome: CallOutcome, *, is_slow: bool, was_counted: bool, now: float) -> None:
        """Count a call that ended. `was_counted`: as slow, while it was out."""
        if outcome is CallOutcome.CUT_SHORT:
            return
        untold = self.untold
        self._ended_at = now
        added = weight(outcome)
        if added:
            if not untold.streak:
                untold.streak_since = now
            self.streak += added
            untold.streak += added
        else:
            self.streak = untold.streak = 0
            untold.answered_at = now
        if outcome in NEUTRAL:
            return
        total = 0 if was_counted else 1
        slow = 1 if is_slow and not was_counted else 0
        failed = 1 if outcome in FAILURES else 0
        self._add(now, total=total, failed=failed, slow=slow)

    def count_overdue(self, now: float, *, calls: int) -> None:
        """Count calls that are out for so long that they are slow, however they end."""
        self._ended_at = now
        self._add(now, total=calls, failed=0, slow=calls)

    def heed(self, retry_after_s: float, now: float) -> None:
        """Remember how long the other side wants to be left alone."""
        self._wished_until = max(self._wished_until, now + retry_after_s)

    def figures(self, now: float) -> Figures:
        """Return what this process knows by itself."""
        count = self.window.count(now)
        return Figures(
            total=count.total,
            failed=count.failed,
            slow=count.slow,
            streak=self.streak,
            failing_workers=int(self.is_failing(now)),
            reporting_workers=1,
            probes_passed=self.passed,
            probes_failed=self.probes_failed,
            retry_after_s=self.wished_s(now),
        )

    def wished_s(self, now: float) -> float:
        """Return what is left of the other side's wish."""
        return max(0.0, self._wished_until - now)

    def is_reporting(self, now: float) -> bool:
        """Tell whether a call ended lately."""
        return now - self._ended_at < REPORTING_S

    def is_failing(self, now: float) -> bool:
        """Tell whether this process's own calls speak against the dependency."""
        count = self.window.count(now)
        return self.is_reporting(now) and fails(
            self._policy, total=count.total, failed=count.failed, slow=count.slow, streak=self.streak
        )

    def begin_anew(self) -> None:
        """Forget what was seen: it says nothing about what comes. The fleet is told of it still."""
        self.window.clear()
        self.streak = self.passed = self.probes_failed = 0

    def take_untold(self) -> "Untold":
        """Return what happened since the last time, once."""
        untold, self.untold = self.untold, Untold()
        return untold

    def _add(self, now: float, *, total: int, failed: int, slow: int) -> None:
        self.window.add(now, total=total, failed=failed, slow=slow)
        self.untold.total += total
        self.untold.failed += failed
        self.untold.slow += slow


class Untold:
    """Counts since the last report."""

    __slots__ = ("answered_at", "failed", "slow", "streak", "streak_since", "total")

    def __init__(self) -> None:
        self.total = self.failed = self.slow = self.streak = 0
        self.answered_at: float | None = None
        self.streak_since = 0.0
