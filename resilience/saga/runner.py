"""Carries sagas through their steps: claim, then act - call - act until each one ends or waits.

The danger: a worker dies at any line, or freezes and wakes up when its sagas are somebody else's.
So nothing counts before its commit, each transaction begins by checking the fence of every saga
it moves, and no transaction is open while the outside is asked.

A batch shares its transactions, because commits and statements are what an order costs; a batch
that fails is taken apart and each saga tried alone, so that one bad saga harms only itself.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction

from resilience.crashpoints import crashpoint
from resilience.saga import store
from resilience.saga.decide import Compensate, Decision, Finish, Next, Park, Position, RetryAt, decide
from resilience.saga.definition import Action, Call, CallRaised, Run
from resilience.saga.outcomes import Crashed, Done, Outcome
from resilience.saga.registry import UnknownDefinitionError, definition_of
from resilience.saga.states import SagaStatus
from resilience.saga.store import Claimed, LogLine

logger = logging.getLogger(__name__)

# Sagas whose calls have been answered wait this long for their batch mates: long enough to share a
# commit, short enough that one hanging call does not hold the others.
GATHER_S = 0.02

Answers = Mapping[UUID, Sequence[object]]
Calls = dict[UUID, Sequence[Call]]


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


@dataclass
class _InFlight:
    """A saga that waits for its calls."""

    saga: Claimed
    futures: list[Future[object]]

    @property
    def is_answered(self) -> bool:
        return all(future.done() for future in self.futures)

    @property
    def answers(self) -> list[object]:
        return [future.result() for future in self.futures]


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
        while in_flight:
            answered = _gather(in_flight)
            in_flight = [flight for flight in in_flight if not flight.is_answered]
            in_flight += self._resume(answered, tally)
        return Counts(**vars(tally))

    def _start(self, ids: Sequence[UUID], tally: _Tally) -> list[_InFlight]:
        def claim() -> list[Claimed]:
            return store.claim(ids, owner=self.owner, lease_s=self.lease_s)

        try:
            sagas, calls = self._act(claim, {})
        except Exception as error:  # noqa: BLE001 - whatever a step raises is an outcome of its saga
            if len(ids) > 1:
                return [flight for one in ids for flight in self._start([one], tally)]
            sagas, calls = self._give_up(claim, error), {}
        tally.claimed += len(sagas)
        return self._send(sagas, calls, tally)

    def _resume(self, answered: Sequence[_InFlight], tally: _Tally) -> list[_InFlight]:
        if not answered:
            return []
        held = [flight.saga for flight in answered]
        answers = {flight.saga.id: flight.answers for flight in answered}
        try:
            sagas, calls = self._act(lambda: store.guard(held), answers)
        except Exception as error:  # noqa: BLE001 - see _start
            if len(answered) > 1:
                return [flight for one in answered for flight in self._resume([one], tally)]
            sagas, calls = self._give_up(lambda: store.guard(held), error), {}
        lost = len(held) - len(sagas)
        if lost:
            tally.lost += lost
            logger.warning(
                "Sagas were claimed by another worker while this one waited.", extra={"sagas": lost}
            )
        return self._send(sagas, calls, tally)

    def _act(self, load: Callable[[], list[Claimed]], answers: Answers) -> tuple[list[Claimed], Calls]:
        """One transaction: load, walk each saga to its next call, wait or end, and checkpoint."""
        with transaction.atomic():
            sagas = load()
            walk = _Walk(now=self.clock(), random=self.random, answers=answers)
            calls = walk.go(sagas)
            if sagas:
                store.checkpoint(sagas, lease_s=self.lease_s)
            for name in walk.trail:
                crashpoint(f"{name}.before_commit")
        for name in walk.trail:
            crashpoint(f"{name}.after_commit")
        return sagas, calls

    def _give_up(self, load: Callable[[], list[Claimed]], error: Exception) -> list[Claimed]:
        """Record that a single saga's step raised `error`; raise it on when the database is away.

        A lock not got in time, or a lost fence, leaves the saga alone until its lease runs out.
        """
        if isinstance(error, OperationalError | InterfaceError) and not connection.is_usable():
            raise error
        if isinstance(error, OperationalError | store.LostFenceError):
            logger.warning("A saga's step met contention and is left for later.", exc_info=error)
            return []
        with transaction.atomic():
            sagas = load()
            for saga in sagas:
                logger.error(
                    "A saga's step raised.",
                    exc_info=error,
                    extra={"saga": str(saga.id), "business_key": str(saga.business_key)},
                )
                walk = _Walk(now=self.clock(), random=self.random, answers={})
                walk.settle(saga, Crashed(f"{type(error).__name__}: {error}"))
            if sagas:
                store.checkpoint(sagas, lease_s=self.lease_s)
        return sagas

    def _send(self, sagas: Sequence[Claimed], calls: Calls, tally: _Tally) -> list[_InFlight]:
        for saga in sagas:
            if saga.id in calls:
                continue
            if saga.status is SagaStatus.PARKED:
                tally.parked += 1
            elif saga.due_at is None:
                tally.ended += 1
            else:
                tally.rescheduled += 1
        return [
            _InFlight(saga, [self.executor.submit(_answer, call, _place(saga)) for call in calls[saga.id]])
            for saga in sagas
            if saga.id in calls
        ]


@dataclass
class _Walk:
    """Takes a batch from step to step inside one transaction."""

    now: datetime
    random: Random
    answers: Answers
    calls: Calls = field(default_factory=dict)
    trail: list[str] = field(default_factory=list)

    def go(self, sagas: Sequence[Claimed]) -> Calls:
        """Walk each of `sagas` until it needs a call, waits, or ends; return the calls by saga id."""
        todo = list(sagas)
        while todo:
            going_on: list[Claimed] = []
            for group in _by_step(todo):
                outcomes = self._perform(group)
                going_on += [
                    saga for saga in group if saga.id in outcomes and self.settle(saga, outcomes[saga.id])
                ]
            todo = going_on
        return self.calls

    def settle(self, saga: Claimed, outcome: Outcome) -> bool:
        """Apply what follows from `outcome`; return whether the saga goes on at once."""
        try:
            position = _position(saga)
        except UnknownDefinitionError as error:
            # Never guess what another version would do: leave it to a process that knows it.
            return _apply(saga, Park(str(error)), self.now)
        decision = decide(position, outcome, now=self.now, random=self.random)
        saga.log.append(_log_line(saga, position.step.name, outcome, decision, self.now))
        saga.asked_at = None
        if isinstance(outcome, Done):
            saga.data = {**saga.data, **outcome.data}
        if decision == Finish(SagaStatus.COMPENSATED) and position.definition.on_compensated:
            position.definition.on_compensated([_run(saga, self.now)])
        return _apply(saga, decision, self.now)

    def _perform(self, group: Sequence[Claimed]) -> Mapping[UUID, Outcome]:
        """Run the step that all of `group` stand at; sagas that need calls get no outcome yet."""
        try:
            position = _position(group[0])
        except UnknownDefinitionError as error:
            return {saga.id: Crashed(str(error)) for saga in group}
        is_undo = position.status is SagaStatus.COMPENSATING
        action = position.step.undo if is_undo else position.step.do
        self.trail.append(_place(group[0]))
        if action is None:
            return {saga.id: Done() for saga in group}
        return self._outcomes(action, group)

    def _outcomes(self, action: Action, group: Sequence[Claimed]) -> Mapping[UUID, Outcome]:
        if callable(action):
            return action([_run(saga, self.now) for saga in group])
        answered = [_run(saga, self.now) for saga in group if saga.id in self.answers]
        asking = [_run(saga, self.now) for saga in group if saga.id not in self.answers]
        calls = action.prepare(asking) if asking else {}
        self.calls |= {saga_id: made for saga_id, made in calls.items() if made}
        for saga in group:
            if saga.id in self.calls:
                saga.asked_at = self.now
        ready = answered + [run for run in asking if not calls.get(run.id)]
        outcomes = action.record(ready, self.answers) if ready else {}
        # Answers belong to one step; a following remote step has to ask for itself.
        self.answers = {key: value for key, value in self.answers.items() if key not in outcomes}
        return outcomes


def _gather(in_flight: Sequence[_InFlight]) -> list[_InFlight]:
    """Wait for the first answers, and a moment longer for others that can share their commit."""
    futures = [future for flight in in_flight for future in flight.futures]
    pending = [future for future in futures if not future.done()]
    if pending:
        wait(pending, return_when=FIRST_COMPLETED)
        wait(pending, timeout=GATHER_S)
    return [flight for flight in in_flight if flight.is_answered]


def _answer(call: Call, place: str) -> object:
    try:
        crashpoint(f"{place}.before_call")
        answer = call()
        crashpoint(f"{place}.after_call")
    except Exception as error:
        logger.exception("A call to the outside raised instead of answering.")
        return CallRaised(f"{type(error).__name__}: {error}")
    return answer


def _place(saga: Claimed) -> str:
    """Return where a saga stands, as crash points name it."""
    direction = "undo" if saga.status is SagaStatus.COMPENSATING else "do"
    step = definition_of(saga.definition, saga.version).steps[saga.cursor]
    return f"{saga.definition}.{step.name}.{direction}"


def _by_step(sagas: Sequence[Claimed]) -> list[list[Claimed]]:
    groups: dict[tuple[object, ...], list[Claimed]] = defaultdict(list)
    for saga in sagas:
        groups[saga.definition, saga.version, saga.status, saga.cursor].append(saga)
    return list(groups.values())


def _run(saga: Claimed, now: datetime) -> Run:
    return Run(saga.id, saga.business_key, saga.data, now, saga.deadline_at, saga.reason)


def _position(saga: Claimed) -> Position:
    return Position(
        definition=definition_of(saga.definition, saga.version),
        status=saga.status,
        cursor=saga.cursor,
        attempt=saga.attempt,
        waits=saga.waits,
        deadline_at=saga.deadline_at,
        abort_requested=saga.abort_requested,
    )


def _apply(saga: Claimed, decision: Decision, now: datetime) -> bool:
    match decision:
        case Next(cursor):
            saga.cursor, saga.attempt, saga.waits = cursor, 0, 0
            return True
        case Compensate(cursor, reason):
            saga.status, saga.reason = SagaStatus.COMPENSATING, reason
            saga.cursor, saga.attempt, saga.waits = cursor, 0, 0
            return True
        case RetryAt(at, _, spends_attempt):
            saga.attempt += spends_attempt
            saga.waits += not spends_attempt
            saga.due_at = at
        case Park(reason):
            saga.status, saga.reason, saga.due_at = SagaStatus.PARKED, reason, None
            logger.error(
                "A saga is parked.",
                extra={"saga": str(saga.id), "business_key": str(saga.business_key), "reason": reason},
            )
        case Finish(status):
            saga.status, saga.due_at = status, None
    saga.holds_lease = False
    return False


def _log_line(saga: Claimed, step: str, outcome: Outcome, decision: Decision, now: datetime) -> LogLine:
    return LogLine(
        step=step,
        direction="undo" if saga.status is SagaStatus.COMPENSATING else "do",
        attempt=saga.attempt + saga.waits + 1,
        outcome=type(outcome).__name__.lower(),
        error=getattr(outcome, "error", "") or getattr(outcome, "reason", ""),
        delay_s=decision.delay_s if isinstance(decision, RetryAt) else None,
        started_at=saga.asked_at or now,
        finished_at=now,
    )
