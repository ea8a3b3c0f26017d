"""One breaker in one process: what a caller asks before a call and tells after it, from memory only.

The danger: a lock that is held during the call makes every caller wait for the slowest. Here the lock
guards some counting, never the call. The other danger: a breaker that looks at its calls only when they end
sees nothing of a dependency that hangs. So a call counts when it starts, and as slow once it is out too long.
"""

import threading
from collections.abc import Callable
from random import Random
from typing import NoReturn

from resilience.breaker.call import Call
from resilience.breaker.condition import Condition, admitted_share
from resilience.breaker.errors import CircuitOpen
from resilience.breaker.footing import STOPPED, Footing
from resilience.breaker.forced import Override
from resilience.breaker.leases import Leases
from resilience.breaker.outcomes import FAILURES, NEUTRAL, CallOutcome
from resilience.breaker.policy import BreakerPolicy
from resilience.breaker.report import Move, Verdict
from resilience.breaker.states import BreakerState, Force
from resilience.breaker.tally import Tally

# When to come back if the answer depends on the next beat of the pulse (0.25 s).
BEAT_S = 0.3
# Nobody can promise when a forced breaker is let go.
FORCED_RETRY_S = 5.0
# The lease of a process that is on its own.
_OWN_LEASE = "own"


class Circuit:
    """Thread-safe. `hurry` is called when the fleet should hear news before the next beat.

    A call passes if both conditions of its footing let it: the fleet's, and the process's own.
    """

    def __init__(
        self,
        *,
        name: str,
        policy: BreakerPolicy,
        monotonic: Callable[[], float],
        random: Random,
        hurry: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.policy = policy
        self.random = random
        self._monotonic = monotonic
        self._hurry = hurry
        self._reset()

    def _reset(self) -> None:
        self.lock = threading.Lock()
        self._changed = threading.Condition(self.lock)
        self.tally = Tally(self.policy)
        self.footing = Footing(self.policy, self.tally, self.random)
        self.leases = Leases()
        self.override: Override | None = None
        self._calls: set[Call] = set()
        self._is_plain = True
        self._turn = self.random.random()
        self._own_probe_until = 0.0
        self._is_waited_for = False
        self.used_at = self._monotonic()
        self.rejected = self.late = 0

    def forget(self) -> None:
        """Begin anew in a forked child: the calls are the parent's, and its lock may be held for ever."""
        self._reset()

    def enter(self, *, lease_wait_s: float = 0.0, is_read: bool = True) -> Call:
        """Return the call that may be made now. Raises CircuitOpen, by which nothing was sent.

        While half-open, one caller at a time may wait for a probe lease, up to `lease_wait_s`; what changes
        something (`is_read` False) leaves the first probes to reads, if there are any.
        """
        self.used_at = now = self._monotonic()
        token = "" if self._is_plain else self._permission(now, lease_wait_s=lease_wait_s, is_read=is_read)
        call = Call(self, now, self.footing.epoch, token)
        self._calls.add(call)
        with self.lock:
            self.tally.window.bucket(now)[0] += 1
        return call

    def end(self, call: Call, outcome: CallOutcome, took_s: float, retry_after_s: float | None) -> None:
        """Count how `call` ended (see `Call.done`)."""
        now = self._monotonic()
        is_slow = took_s >= self.policy.slow_call_s
        is_bad = is_slow or outcome in FAILURES
        with self.lock:
            if call not in self._calls:
                return
            self._calls.discard(call)
            is_timely = call.epoch == self.footing.epoch
            if retry_after_s is not None:
                self.tally.heed(retry_after_s, now)
            if is_timely:
                self.tally.count(outcome, is_slow=is_slow, was_counted=call.is_counted, now=now)
            else:
                self.late += 1
            if call.token:
                is_passed = not is_bad and outcome not in NEUTRAL
                self._end_probe(
                    call,
                    is_passed=None if outcome is CallOutcome.CUT_SHORT else is_passed,
                    is_timely=is_timely,
                )
            if is_bad or not self._is_plain:
                self._judge(now)
        if (is_bad and is_timely) or call.token:
            self._hurry()

    def force(self, override: Override | None) -> None:
        """Let a person's decision count, or no longer."""
        with self.lock:
            self.override = override
            self._look()

    def hear(self, verdict: Verdict, now: float) -> None:
        """Take what the fleet knows."""
        with self.lock:
            self.leases.confirm()
            self.footing.hear(verdict, now)
            self._settle(verdict.leases, now)

    def go_alone(self, now: float) -> None:
        """Go on by oneself: the fleet is not heard of."""
        with self.lock:
            self.footing.go_alone(now)
            self._settle((), now)

    def count_overdue(self, now: float) -> None:
        """Count the calls that are out for too long."""
        with self.lock:
            epoch, since = self.footing.epoch, now - self.policy.slow_call_s
            overdue = [
                call
                for call in tuple(self._calls)
                if not call.is_counted and call.epoch == epoch and call.started_at <= since
            ]
            for call in overdue:
                call.is_counted = True
            if overdue:
                self.tally.count_overdue(now, calls=len(overdue))
                self._judge(now)

    def take_moves(self) -> list[Move]:
        """Return the moves since the last time."""
        with self.lock:
            return self.footing.take_moves()

    @property
    def in_flight(self) -> int:
        """How many calls are out."""
        return len(self._calls)

    def _permission(self, now: float, *, lease_wait_s: float, is_read: bool) -> str:
        """Return the lease to go under, "" where none is needed."""
        override = self.override
        force = override.force if override and now < override.until else None
        try:
            if override and force is Force.FORCED_OPEN:
                left_s = min(FORCED_RETRY_S, override.until - now)
                raise CircuitOpen(
                    breaker=self.name,
                    retry_after_s=left_s,
                    reason=f"forced by {override.owner}: {override.reason}",
                )
            with self.lock:
                self._judge(now)
                if not is_read:
                    self._leave_to_reads(now)
                return self._fleet_lease(now, 0.0 if force else lease_wait_s) or self._own_lease(now)
        except CircuitOpen:
            if force in (Force.FORCED_CLOSED, Force.METRICS_ONLY):
                return ""
            self.rejected += 1
            raise

    def _leave_to_reads(self, now: float) -> None:
        condition = self.footing.governing()
        is_due = condition.state is BreakerState.OPEN and now >= condition.until
        reads_until = (now if is_due else condition.since) + self.policy.reads_first_s
        if (is_due or condition.state is BreakerState.HALF_OPEN) and now < reads_until:
            self._reject(condition, reads_until - now)

    def _fleet_lease(self, now: float, lease_wait_s: float) -> str:
        condition = self.footing.fleet
        if condition.state is BreakerState.RAMPING:
            self._take_turn(condition, now)
        if condition.state not in STOPPED:
            return ""
        if condition.state is BreakerState.OPEN and now < condition.until:
            self._reject(condition, condition.until - now)
        lease = self.leases.take(now)
        if lease is None and lease_wait_s > 0 and not self._is_waited_for:
            lease = self._waited_for_lease(lease_wait_s)
        if lease is None and self.footing.fleet.state in STOPPED:
            self.leases.wanted = 1
            self._reject(condition, BEAT_S)
        return lease or ""

    def _waited_for_lease(self, limit_s: float) -> str | None:
        """Wait for the fleet's word; the lock is free meanwhile."""
        self.leases.wanted = 1
        self._is_waited_for = True
        try:
            self.lock.release()
            try:
                self._hurry()
            finally:
                self.lock.acquire()
            self._changed.wait_for(
                lambda: self.leases.has_free or self.footing.fleet.state not in STOPPED, timeout=limit_s
            )
        finally:
            self._is_waited_for = False
        return self.leases.take(self._monotonic())

    def _own_lease(self, now: float) -> str:
        condition = self.footing.own
        match condition.state:
            case BreakerState.OPEN:
                self._reject(condition, condition.until - now)
            case BreakerState.RAMPING:
                self._take_turn(condition, now)
            case BreakerState.HALF_OPEN:
                if now < self._own_probe_until:
                    self._reject(condition, BEAT_S)
                # A call that is never told the end of must not be waited for without end.
                self._own_probe_until = now + self.policy.lease_s + self.policy.slow_call_s
                return _OWN_LEASE
        return ""

    def _take_turn(self, condition: Condition, now: float) -> None:
        """Let through each call at which the sum of the shares passes a whole number."""
        share = admitted_share(self.policy, condition, now=now)
        self._turn += share
        if self._turn < 1.0:
            self._reject(condition, BEAT_S / share)
        self._turn -= 1.0

    def _reject(self, condition: Condition, retry_after_s: float) -> NoReturn:
        raise CircuitOpen(breaker=self.name, retry_after_s=max(0.0, retry_after_s), reason=condition.reason)

    def _end_probe(self, call: Call, *, is_passed: bool | None, is_timely: bool) -> None:
        if call.token != _OWN_LEASE:
            self.leases.end(call.token, is_passed=is_passed)
        elif is_timely:
            self._own_probe_until = 0.0
            self.tally.passed += int(is_passed is True)
            self.tally.probes_failed += int(is_passed is False)

    def _judge(self, now: float) -> None:
        before = self.footing.own
        self.footing.judge(now)
        if self.footing.own is not before:
            self._own_probe_until = 0.0
            self._look()

    def _settle(self, granted: tuple[str, ...], now: float) -> None:
        """Take the leases, and let those who wait for one look."""
        if self.footing.fleet.state is BreakerState.HALF_OPEN:
            self.leases.grant(granted, now=now)
        elif self.footing.fleet.state is not BreakerState.OPEN:
            self.leases.give_up_free()
        self._look()
        self._changed.notify_all()

    def _look(self) -> None:
        self._is_plain = self.override is None and self.footing.is_closed
