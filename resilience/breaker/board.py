"""The fleet's memory of its breakers, as a model: what the script in Redis does, in plain Python.

For simulations, and for tests that hold the two beside each other. `now` is the one clock of the board.
"""

from dataclasses import dataclass, field, replace

from resilience.breaker.condition import Condition, Figures
from resilience.breaker.report import Report, Verdict
from resilience.breaker.states import BreakerState
from resilience.breaker.tally import REPORTING_S
from resilience.breaker.window import Window

# Nobody was heard for this long: the board itself was frozen, and leases are not lost by that.
SILENCE_S = 0.75


@dataclass
class _Entry:
    condition: Condition = field(default_factory=Condition)
    window: Window = field(default_factory=Window)
    reporting: dict[str, float] = field(default_factory=dict)
    failing: dict[str, float] = field(default_factory=dict)
    leases: dict[str, float] = field(default_factory=dict)
    streak: int = 0
    streak_since: float = 0.0
    passed: int = 0
    failed: int = 0
    wished_until: float = 0.0
    granted: int = 0
    heard_at: float = 0.0


class Board:
    """Takes reports, and answers each with what the fleet knows then."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def exchange(self, process: str, report: Report, *, now: float) -> Verdict:
        """Take `report` of `process`; return the verdict."""
        entry = self._entries.setdefault(report.name, _Entry(heard_at=now))
        self._follow_clock(entry, now)
        self._keep_leases(entry, report, now)
        self._end_leases(entry, report)
        if report.version >= entry.condition.version or entry.condition.state is BreakerState.CLOSED:
            self._count(entry, process, report, now)
        is_moved = self._move(entry, report, now)
        leases = self._grant(entry, process, report, now)
        condition = replace(
            entry.condition, since=entry.condition.since - now, until=entry.condition.until - now
        )
        failing = tuple(sorted(entry.failing, key=entry.failing.__getitem__)[:10])
        return Verdict(condition, self._figures(entry, now), leases, failing, is_moved)

    def wipe(self) -> None:
        """Forget all, as Redis does that lost its data."""
        self._entries.clear()

    @staticmethod
    def _follow_clock(entry: _Entry, now: float) -> None:
        """Let nothing hold longer because the clock was set back, or another one took over."""
        silent_s = now - entry.heard_at
        if silent_s >= -SILENCE_S:
            return
        told = entry.condition
        entry.condition = replace(told, since=told.since + silent_s, until=told.until + silent_s)
        entry.wished_until += silent_s
        entry.streak_since += silent_s
        for workers in (entry.reporting, entry.failing):
            workers.update({worker: now for worker, at in workers.items() if at > now})

    @staticmethod
    def _keep_leases(entry: _Entry, report: Report, now: float) -> None:
        was_frozen = abs(now - entry.heard_at) > SILENCE_S
        entry.heard_at = now
        # Also one that is not known (any more): its call is out.
        for token in (*report.leases_held, *(entry.leases if was_frozen else ())):
            entry.leases[token] = now + report.lease_s
        entry.leases = {token: until for token, until in entry.leases.items() if until > now}

    @staticmethod
    def _end_leases(entry: _Entry, report: Report) -> None:
        for ended in report.leases_ended:
            is_known = entry.leases.pop(ended.token, None) is not None
            is_of_this_round = ended.token.endswith(f"#{entry.condition.version}")
            if is_known and is_of_this_round and ended.is_passed is not None:
                entry.passed += int(ended.is_passed)
                entry.failed += int(not ended.is_passed)

    @staticmethod
    def _move(entry: _Entry, report: Report, now: float) -> bool:
        proposal = report.proposal
        if proposal is None or proposal.expected_version != entry.condition.version:
            return False
        entry.condition = Condition(
            state=proposal.state,
            version=proposal.version,
            since=now,
            until=now + proposal.lasts_s,
            wait_s=proposal.wait_s,
            reason=proposal.reason,
        )
        entry.passed = entry.failed = 0
        if proposal.state is not BreakerState.CLOSED:
            entry.window.clear()
            entry.failing.clear()
            entry.streak = 0
        return True

    @staticmethod
    def _count(entry: _Entry, process: str, report: Report, now: float) -> None:
        entry.window.add(now, total=report.total, failed=report.failed, slow=report.slow)
        if report.answered_ago_s is not None and now - report.answered_ago_s >= entry.streak_since:
            entry.streak = 0
        if report.streak and not entry.streak:
            entry.streak_since = now - report.streak_ago_s
        entry.streak += report.streak
        entry.wished_until = max(entry.wished_until, now + report.retry_after_s)
        for workers, is_one in ((entry.reporting, report.is_reporting), (entry.failing, report.is_failing)):
            if is_one:
                workers[process] = now
            else:
                workers.pop(process, None)
            for gone in [worker for worker, at in workers.items() if now - at >= REPORTING_S]:
                del workers[gone]

    @staticmethod
    def _grant(entry: _Entry, process: str, report: Report, now: float) -> tuple[str, ...]:
        granted: list[str] = []
        is_probed = entry.condition.state is BreakerState.HALF_OPEN and not entry.failed
        while (
            is_probed
            and len(granted) < report.leases_wanted
            and len(entry.leases) < report.probes_at_once
            and entry.passed < report.probes_needed
        ):
            entry.granted += 1
            token = f"{process}#{entry.granted}#{entry.condition.version}"
            entry.leases[token] = now + report.lease_s
            granted.append(token)
        return tuple(granted)

    @staticmethod
    def _figures(entry: _Entry, now: float) -> Figures:
        count = entry.window.count(now)
        return Figures(
            total=count.total,
            failed=count.failed,
            slow=count.slow,
            streak=entry.streak,
            failing_workers=len(entry.failing),
            reporting_workers=len(entry.reporting),
            probes_passed=entry.passed,
            probes_failed=entry.failed,
            retry_after_s=max(0.0, entry.wished_until - now),
            is_fleet=True,
        )
