"""Progress of one transaction: a batch is taken from step to step as far as it goes without a call."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from uuid import UUID

from resilience.saga.decide import Compensate, Decision, Finish, Next, Park, Position, RetryAt, decide
from resilience.saga.definition import Action, Call, Run, Step
from resilience.saga.outcomes import Crashed, Done, Outcome
from resilience.saga.registry import UnknownDefinitionError, definition_of
from resilience.saga.states import SagaStatus
from resilience.saga.store import Claimed, LogLine
from resilience.saga.telling import Told, ids_of

logger = logging.getLogger(__name__)

Answers = Mapping[UUID, Sequence[object]]
Calls = dict[UUID, Sequence[Call]]


@dataclass
class Walk:
    """Takes a batch from step to step inside one transaction."""

    now: datetime
    random: Random
    answers: Answers
    calls: Calls = field(default_factory=dict)
    trail: list[str] = field(default_factory=list)
    lines: list[Told] = field(default_factory=list)

    def go(self, sagas: Sequence[Claimed], *, steps_max: int | None = None) -> Calls:
        """Walk each of `sagas` until it needs a call, waits, or ends; return the calls by saga id.

        With `steps_max` a saga may stop earlier, still holding its lease.
        """
        todo = list(sagas)
        steps = 0
        while todo and steps != steps_max:
            steps += 1
            todo = [saga for group in _by_step(todo) for saga in self._step(group)]
        return self.calls

    def _step(self, group: Sequence[Claimed]) -> list[Claimed]:
        """Take sagas that stand at one step through it; return those that go on at once."""
        outcomes = self._perform(group)
        # A step that forgets a saga would leave it leased and silent, again and again.
        forgotten = Crashed("the step gave no outcome")
        return [
            saga
            for saga in group
            if saga.id not in self.calls and self.settle(saga, outcomes.get(saga.id, forgotten))
        ]

    def settle(self, saga: Claimed, outcome: Outcome) -> bool:
        """Apply what follows from `outcome`; return whether the saga goes on at once."""
        try:
            position = _position(saga)
        except UnknownDefinitionError as error:
            # Never guess what another version would do: leave it to a process that knows it.
            return _apply(saga, Park(str(error)), self.now)
        decision = decide(position, outcome, now=self.now, random=self.random)
        # Whatever came of it: unless the decision parks it again, a parked saga has found its answer.
        saga.parked_reason = ""
        saga.log.append(_log_line(saga, position.step.name, outcome, decision, self.now))
        self.lines.append((saga, saga.log[-1]))
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
        self.trail.append(place_of(group[0]))
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


def place_of(saga: Claimed) -> str:
    """Return where a saga stands, as crash points name it."""
    direction = "undo" if saga.status is SagaStatus.COMPENSATING else "do"
    return f"{saga.definition}.{step_of(saga).name}.{direction}"


def step_of(saga: Claimed) -> Step:
    """Return the step that a saga stands at."""
    return definition_of(saga.definition, saga.version).steps[saga.cursor]


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
        waited_s=saga.waited_s,
    )


def _apply(saga: Claimed, decision: Decision, now: datetime) -> bool:
    match decision:
        case Next(cursor):
            saga.cursor, saga.attempt, saga.waits, saga.waited_s = cursor, 0, 0, None
            return True
        case Compensate(cursor, reason):
            saga.status, saga.reason = SagaStatus.COMPENSATING, reason
            saga.cursor, saga.attempt, saga.waits, saga.waited_s = cursor, 0, 0, None
            return True
        case RetryAt(at, starts_over=True):
            saga.attempt = saga.waits = 0
            saga.due_at = at
        case RetryAt(at, _, spends_attempt, parked_reason):
            saga.attempt += spends_attempt
            saga.waits += not spends_attempt
            saga.due_at = at
            if parked_reason:
                _park(saga, parked_reason)
        case Park(reason):
            saga.due_at = None
            _park(saga, reason)
        case Finish(status):
            saga.status, saga.due_at = status, None
    saga.holds_lease = False
    return False


def _park(saga: Claimed, reason: str) -> None:
    if not saga.was_parked:
        logger.error(
            "A saga is parked.",
            extra={**ids_of(saga), "reason": reason},
        )
    saga.parked_reason = reason


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
