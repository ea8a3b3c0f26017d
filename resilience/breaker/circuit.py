"""One breaker in one process: what a caller asks before a call and tells after it, from memory only.

The danger: a lock that is held during the call makes every caller wait for the slowest. Here the lock
guards some counting, never the call. The other danger: a breaker that looks at its calls only when they end
sees nothing of a dependency that hangs. So a call counts when it starts, and as slow once it is out too long.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import NoReturn

from resilience.breaker.call import Call
from resilience.breaker.condition import Condition, Figures, admitted_share, following
from resilience.breaker.errors import CircuitOpen
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
# Moves that nobody has taken note of yet; a breaker moves some twenty times a minute at the most.
MOVES_MAX = 50
_STOPPED = frozenset({BreakerState.OPEN, BreakerState.HALF_OPEN})


class Circuit:
    """Thread-safe. `hurry` is called when the fleet should hear news before the next beat.

    It stands in two conditions: the `fleet`'s, as last heard, and its `own`, for what this process alone
    has seen. A call passes if both let it. While the fleet stops calls, there is no own condition; while the
    fleet is not heard of, there is nothing else.
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
        self._monotonic = monotonic
        self.random = random
        self._hurry = hurry
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self.fleet, self.own = Condition(), Condition()
        self.fleet_figures = Figures(is_fleet=True)
        # The newest version of the fleet's condition; where it has gone back to, if it has; and whether
        # `own` is what the fleet's was.
        self.version_heard = 0
        self.forgotten_from: int | None = None
        self._is_alone = False
        self.override: Override | None = None
        self.tally = Tally(self.policy)
        self.leases = Leases()
        self._calls: set[Call] = set()
        self._epoch = 0
        self._is_plain = True
        self._turn = self.random.random()
        self._is_waited_for = False
        self.used_at = self._monotonic()
        self.rejected = self.late = 0
        self.failing: tuple[str, ...] = ()
        self.heard_at: float | None = None
        self._moves: deque[Move] = deque(maxlen=MOVES_MAX)

    def forget(self) -> None:
        """Begin anew in a forked child: the calls are the parent's, and its lock may be held for ever."""
        self._reset()

    def enter(self, *, lease_wait_s: float = 0.0, is_read: bool = True) -> Call:
        """Return the call that may be made now. Raises CircuitOpen, by which nothing was sent.

        While half-open, one caller at a time may wait for a probe lease, up to `lease_wait_s`; what changes
        something (`is_read` False) leaves the first probes to reads, if there are any.
        """
        self.used_at = now = self._monotonic()
        token = "" if self._is_plain else self._permission(now, lease_wait_s, is_read)
        call = Call(self, now, self._epoch, token)
        self._calls.add(call)
        with self._lock:
            self.tally.window.bucket(now)[0] += 1
        return call

    def end(self, call: Call, outcome: CallOutcome, took_s: float, retry_after_s: float | None) -> None:
        """Count how `call` ended (see `Call.done`)."""
        now = self._monotonic()
        is_slow = took_s >= self.policy.slow_call_s
        with self._lock:
            if call not in self._calls:
                return
            self._calls.discard(call)
            if retry_after_s is not None:
                self.tally.heed(retry_after_s, now)
            is_bad = is_slow or outcome in FAILURES
            if call.epoch == self._epoch:
                self.tally.count(outcome, is_slow=is_slow, was_counted=call.is_counted, now=now)
            else:
                self.late += 1
            if call.token:
                self._end_probe(call, is_passed=not is_bad and outcome not in NEUTRAL)
            if is_bad or not self._is_plain:
                self._judge(now)
            is_news = (is_bad and call.epoch == self._epoch) or call.token != ""
        if is_news:
            self._hurry()

    def force(self, override: Override | None) -> None:
        """Let a person's decision count, or no longer."""
        with self._lock:
            self.override = override
            self._look()

    def hear(self, verdict: Verdict, now: float) -> None:
        """Take what the fleet knows. What it has forgotten (Redis was wiped), this process knows still."""
        with self._lock:
            self.leases.confirm()
            self.heard_at = now
            self.failing = verdict.failing
            before = self.fleet.state
            figures = self.fleet_figures
            self.fleet_figures = verdict.figures
            heard = verdict.condition
            heard = replace(heard, since=heard.since + now, until=heard.until + now)
            is_forgotten = heard.version < self.version_heard
            kept = self.own if self._is_alone else self.fleet
            self.forgotten_from = None
            if is_forgotten and kept.state is not BreakerState.CLOSED:
                self.forgotten_from = heard.version
            else:
                self._is_alone = False
                self._take_over(heard)
                if verdict.is_moved and before is not heard.state:
                    self._moves.append(Move(before, heard.state, heard.reason, now, figures))
            if self.fleet.state is BreakerState.HALF_OPEN:
                self.leases.grant(verdict.leases, now=now)
            self._changed.notify_all()

    def go_alone(self, now: float) -> None:
        """Go on by oneself, from where the fleet stood when it was heard last."""
        with self._lock:
            if self.fleet.state is not BreakerState.CLOSED:
                self.own, self.fleet = self.fleet, Condition(version=-1)
                self._is_alone = True
                self.tally.begin_anew()
            self.tally.take_untold()
            self.leases.give_up_free()
            self._judge(now)
            self._changed.notify_all()

    def count_overdue(self, now: float) -> None:
        """Count the calls that are out for too long."""
        with self._lock:
            overdue = [
                call
                for call in tuple(self._calls)
                if not call.is_counted
                and call.epoch == self._epoch
                and now - call.started_at >= self.policy.slow_call_s
            ]
            for call in overdue:
                call.is_counted = True
            if overdue:
                self.tally.count_overdue(now, calls=len(overdue))
                self._judge(now)

    def take_moves(self) -> list["Move"]:
        """Return the moves since the last time: this process's own, and those that it made for the fleet."""
        with self._lock:
            moves = list(self._moves)
            self._moves.clear()
        return moves

    @property
    def lock(self) -> threading.Lock:
        """What guards tally, leases and conditions."""
        return self._lock

    @property
    def in_flight(self) -> int:
        """How many calls are out."""
        return len(self._calls)

    def governing(self) -> Condition:
        """Return the condition that decides: the fleet's, unless only this process is concerned."""
        return self.fleet if self.fleet.state is not BreakerState.CLOSED else self.own

    def _permission(self, now: float, lease_wait_s: float, is_read: bool) -> str:  # noqa: FBT001
        """Return the lease to go under, "" where none is needed."""
        override = self.override
        force = override.force if override and now < override.until else None
        if override and force is Force.FORCED_OPEN:
            self.rejected += 1
            raise CircuitOpen(
                breaker=self.name,
                retry_after_s=min(FORCED_RETRY_S, override.until - now),
                reason=f"forced by {override.owner}: {override.reason}",
            )
        try:
            with self._lock:
                self._judge(now)
                self._leave_to_reads(now, is_read=is_read)
                return self._fleet_lease(now, 0.0 if force else lease_wait_s) or self._own_lease(now)
        except CircuitOpen:
            if force:
                return ""
            self.rejected += 1
            raise

    def _leave_to_reads(self, now: float, *, is_read: bool) -> None:
        condition = self.governing()
        reads_until = condition.since + self.policy.reads_first_s
        if condition.state is BreakerState.HALF_OPEN and not is_read and now < reads_until:
            self._reject(condition, reads_until - now)

    def _fleet_lease(self, now: float, lease_wait_s: float) -> str:
        condition = self.fleet
        if condition.state is BreakerState.RAMPING:
            self._take_turn(condition, now)
        is_probed = condition.state is BreakerState.HALF_OPEN or now >= condition.until
        if condition.state not in _STOPPED:
            return ""
        if not is_probed:
            self._reject(condition, condition.until - now)
        lease = self.leases.take()
        if lease is None and lease_wait_s > 0 and not self._is_waited_for:
            lease = self._waited_for_lease(lease_wait_s)
        if lease is None:
            self.leases.wanted = 1
            if self.fleet.state in _STOPPED:
                self._reject(condition, BEAT_S)
            return ""
        return lease

    def _waited_for_lease(self, limit_s: float) -> str | None:
        """Wait for the fleet's word; the lock is free meanwhile."""
        self.leases.wanted = 1
        self._is_waited_for = True
        try:
            self._lock.release()
            try:
                self._hurry()
            finally:
                self._lock.acquire()
            self._changed.wait_for(
                lambda: self.leases.has_free or self.fleet.state not in _STOPPED, timeout=limit_s
            )
        finally:
            self._is_waited_for = False
        return self.leases.take()

    def _own_lease(self, now: float) -> str:
        condition = self.own
        match condition.state:
            case BreakerState.OPEN:
                self._reject(condition, condition.until - now)
            case BreakerState.RAMPING:
                self._take_turn(condition, now)
            case BreakerState.HALF_OPEN:
                if any(call.token == _OWN_LEASE for call in tuple(self._calls)):
                    self._reject(condition, BEAT_S)
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

    def _end_probe(self, call: Call, *, is_passed: bool) -> None:
        if call.token != _OWN_LEASE:
            self.leases.end(call.token, is_passed=is_passed)
        elif call.epoch == self._epoch:
            self.tally.passed += int(is_passed)
            self.tally.probes_failed += int(not is_passed)

    def _judge(self, now: float) -> None:
        """Move the own condition on, while it is this process's to decide."""
        if self.fleet.state in _STOPPED:
            return
        moved = following(self.policy, self.own, self.tally.figures(now), now=now, random=self.random)
        if moved is not None:
            self._moves.append(Move(self.own.state, moved.state, moved.reason, now, self.tally.figures(now)))
            self.own = moved
            self._note_move(moved.state)

    def _take_over(self, condition: Condition) -> None:
        self.version_heard = condition.version
        if condition.version == self.fleet.version:
            return
        self.fleet = condition
        if condition.state is not BreakerState.CLOSED:
            self.own = Condition(version=self.own.version + 1)
        if condition.state not in _STOPPED:
            self.leases.give_up_free()
        self._note_move(condition.state)
        # The fleet counts anew too.
        self.tally.take_untold()

    def _note_move(self, state: BreakerState) -> None:
        """Let nothing that began before the move count after it."""
        if state is not BreakerState.CLOSED:
            self._epoch += 1
            self.tally.begin_anew()
        self._look()

    def _look(self) -> None:
        self._is_plain = self.override is None and {self.fleet.state, self.own.state} == {BreakerState.CLOSED}
