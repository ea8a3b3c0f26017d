"""Carries sagas through their steps: claim, then act - call - act until each one ends or waits.

The danger: a worker dies at any line, or freezes and wakes up when its sagas are somebody else's.
So nothing counts before its commit, each transaction begins by checking the fence of every saga
it moves, and no transaction is open while the outside is asked.

A batch shares its transactions, because commits and statements are what an order costs; a batch
that fails is taken apart and each saga tried alone, so that one bad saga harms only itself.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from random import Random
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction

from resilience.crashpoints import crashpoint
from resilience.errors import Operational
from resilience.saga import store
from resilience.saga.asking import call_limit_s, in_context
from resilience.saga.definition import Call, CallRaised, CallTimedOut
from resilience.saga.outcomes import Crashed, InDoubt
from resilience.saga.store import Claimed
from resilience.saga.telling import Told, ids_of, tell_ended, tell_steps
from resilience.saga.walk import Answers, Calls, Walk, place_of, step_of
from resilience.telemetry import counter, trace

logger = logging.getLogger(__name__)

# Sagas whose calls have been answered wait for their batch mates, to share a commit with them, as long
# as another one is answered within this: long enough for a busy process to read the next answer,
# short enough that one hanging call does not hold the others.
GATHER_S = 0.02
# However steadily answers come: the first ones wait no longer than this for the last.
GATHER_MAX_S = 0.25


@dataclass(frozen=True)
class Counts:
    """What a run did: sagas claimed, ended, and left for later."""

    claimed: int = 0
    ended: int = 0
    rescheduled: int = 0
    parked: int = 0
    lost: int = 0


@dataclass
class _Tally:
    """Counts while they grow."""

    claimed: int = 0
    ended: int = 0
    rescheduled: int = 0
    parked: int = 0
    lost: int = 0


@dataclass(eq=False)
class _InFlight:
    """A saga that waits for its calls, until `deadline` (monotonic seconds)."""

    saga: Claimed
    span: trace.Span
    futures: list[Future[object]]
    timeout_s: float
    deadline: float

    @property
    def is_answered(self) -> bool:
        return time.monotonic() >= self.deadline or all(future.done() for future in self.futures)

    def answers(self) -> list[object]:
        """Return what came back, and leave the rest behind."""
        self.cancel()
        self.span.end()
        return [
            CallTimedOut(self.timeout_s) if future.cancelled() or not future.done() else future.result()
            for future in self.futures
        ]

    def cancel(self) -> None:
        """Take calls back that no thread has begun.

        Made after their saga went on without them, they would reach the outside at any later time, and
        fill the threads with calls that nobody waits for while the outside hangs.
        """
        for future in self.futures:
            future.cancel()


@dataclass
class Runner:
    """Runs sagas under one owner name. `executor` makes the calls; its size bounds them."""

    owner: str
    lease_s: float
    executor: Executor
    clock: Callable[[], datetime]
    random: Random = field(default_factory=Random)

    def run(self, ids: Sequence[UUID]) -> Counts:
        """Carry those of `ids` that are due and free as far as they go now.

        Returns when each of them has ended, is parked, or is due later. Ids that somebody else
        holds, or that are not due, are left alone. Raises OperationalError when the database is
        away: the leases then run out and others take over.
        """
        tally = _Tally()
        in_flight = self._start(ids, tally)
        try:
            while in_flight:
                answered = _gather(in_flight)
                in_flight = [flight for flight in in_flight if flight not in answered]
                in_flight += self._resume(answered, tally)
        finally:
            for flight in in_flight:
                flight.cancel()
        return Counts(**vars(tally))

    def _start(self, ids: Sequence[UUID], tally: _Tally) -> list[_InFlight]:
        try:
            sagas, calls = self._act(lambda: self._claim(ids), {})
        except Exception:  # noqa: BLE001 - whatever a step raises is an outcome of its saga
            return [
                flight for one in ids for flight in self._carefully(partial(self._claim, [one]), {}, tally)
            ]
        tally.claimed += len(sagas)
        return self._send(sagas, calls, tally)

    def _claim(self, ids: Sequence[UUID]) -> list[Claimed]:
        return store.claim(ids, owner=self.owner, lease_s=self.lease_s)

    def _resume(self, answered: Sequence[_InFlight], tally: _Tally) -> list[_InFlight]:
        if not answered:
            return []
        held = [flight.saga for flight in answered]
        answers = {flight.saga.id: flight.answers() for flight in answered}
        try:
            sagas, calls = self._act(lambda: store.guard(held), answers)
        except Exception:  # noqa: BLE001 - see _start
            return [
                flight
                for saga in held
                for flight in self._carefully(partial(store.guard, [saga]), answers, tally)
            ]
        lost = len(held) - len(sagas)
        if lost:
            tally.lost += lost
            counter("saga_lost_total").add(lost)
            logger.warning(
                "Sagas were claimed by another worker while this one waited.", extra={"sagas": lost}
            )
        return self._send(sagas, calls, tally)

    def _carefully(
        self, load: Callable[[], list[Claimed]], answers: Answers, tally: _Tally
    ) -> list[_InFlight]:
        """Take one saga of a batch that failed on, a step at a time.

        So its mates go on without it, the steps that stand are kept, and a crash is put down to the
        step that crashed.
        """
        while True:
            try:
                sagas, calls = self._act(load, answers, steps_max=1)
            except Exception as error:  # noqa: BLE001 - see _start
                sagas, calls = self._give_up(load, error), {}
            if calls or not any(saga.holds_lease for saga in sagas):
                return self._send(sagas, calls, tally)
            load, answers = partial(store.guard, sagas), {}

    def _act(
        self, load: Callable[[], list[Claimed]], answers: Answers, *, steps_max: int | None = None
    ) -> tuple[list[Claimed], Calls]:
        """One transaction: load, walk each saga to its next call, wait or end, and checkpoint."""
        with transaction.atomic():
            sagas = load()
            walk = Walk(now=self.clock(), random=self.random, answers=answers)
            calls = walk.go(sagas, steps_max=steps_max)
            if sagas:
                store.checkpoint(sagas, lease_s=self.lease_s)
            for name in walk.trail:
                crashpoint(f"{name}.before_commit")
        tell_steps(walk.lines)
        for name in walk.trail:
            crashpoint(f"{name}.after_commit")
        return sagas, calls

    def _give_up(self, load: Callable[[], list[Claimed]], error: Exception) -> list[Claimed]:
        """Record that a single saga's step raised `error`; raise it on when the database is away.

        A lock that it did not get in time makes it due again later, behind those that do not wait
        for it; a lost fence leaves it to whoever has it now.
        """
        if isinstance(error, OperationalError | InterfaceError) and not connection.is_usable():
            raise error
        if isinstance(error, store.LostFenceError):
            return []
        # Nothing happened, for the transaction rolled back; but what was asked before it may have.
        outcome = (
            InDoubt(f"met contention: {error}")
            if isinstance(error, OperationalError | Operational)
            else Crashed(f"{type(error).__name__}: {error}")
        )
        with transaction.atomic():
            sagas = load()
            lines: list[Told] = []
            for saga in sagas:
                logger.error(
                    "A saga's step raised.",
                    exc_info=error,
                    extra=ids_of(saga),
                )
                walk = Walk(now=self.clock(), random=self.random, answers={})
                walk.settle(saga, outcome)
                lines += walk.lines
            if sagas:
                store.checkpoint(sagas, lease_s=self.lease_s)
        tell_steps(lines)
        return sagas

    def _send(self, sagas: Sequence[Claimed], calls: Calls, tally: _Tally) -> list[_InFlight]:
        tell_ended((saga for saga in sagas if not saga.holds_lease), now=self.clock())
        for saga in sagas:
            if saga.id in calls:
                continue
            if saga.parked_reason:
                tally.parked += 1
            elif saga.due_at is None:
                tally.ended += 1
            else:
                tally.rescheduled += 1
        return [self._call(saga, calls[saga.id]) for saga in sagas if saga.id in calls]

    def _call(self, saga: Claimed, calls: Sequence[Call]) -> _InFlight:
        timeout_s = call_limit_s(step_of(saga).timeout_s, now=self.clock(), deadline_at=saga.deadline_at)
        place, ids, tries = place_of(saga), ids_of(saga), saga.attempt + saga.waits + 1
        span = trace.tracing().begin(place, kind="internal", parent=saga.trace, attributes=ids)
        answers = [partial(_answer, call, place, span.traceparent, ids) for call in calls]
        return _InFlight(
            saga=saga,
            span=span,
            futures=[
                self.executor.submit(in_context(answer, limit_s=timeout_s, tries=tries)) for answer in answers
            ],
            timeout_s=timeout_s,
            deadline=time.monotonic() + timeout_s,
        )


def _gather(in_flight: Sequence[_InFlight]) -> list[_InFlight]:
    """Wait for the first answers, and on while more keep coming that can share their commit."""
    pending = {future for flight in in_flight for future in flight.futures if not future.done()}
    if pending and not any(flight.is_answered for flight in in_flight):
        first_deadline = min(flight.deadline for flight in in_flight)
        timeout_s = max(0.0, first_deadline - time.monotonic())
        _, pending = wait(pending, timeout=timeout_s, return_when=FIRST_COMPLETED)
    until = time.monotonic() + GATHER_MAX_S
    came: set[Future[object]] = pending
    while pending and came and time.monotonic() < until:
        came, pending = wait(pending, timeout=GATHER_S, return_when=FIRST_COMPLETED)
    return [flight for flight in in_flight if flight.is_answered]


def _answer(call: Call, place: str, traceparent: str, ids: Mapping[str, str]) -> object:
    with trace.carrying(traceparent, **ids):
        try:
            crashpoint(f"{place}.before_call")
            answer = call()
            crashpoint(f"{place}.after_call")
        except Exception as error:
            logger.exception("A call to the outside raised instead of answering.")
            return CallRaised(f"{type(error).__name__}: {error}")
        return answer
