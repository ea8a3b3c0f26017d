"""What a person may do to a parked saga: try again, turn round, or say that a step is settled.

The danger: a hand on a row that a worker holds. Each action moves the fence on, so that whoever held
the saga writes nothing any more, and each is written down with who and why in the same commit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from resilience.errors import Refusal
from resilience.saga.definition import Resolvable, Run, SagaDefinition, Step
from resilience.saga.models import OperatorAction, Saga
from resilience.saga.registry import definition_of
from resilience.saga.states import SagaStatus

# Why a saga compensates that an operator turned round.
CANCELLED_BY_OPERATOR = "cancelled_by_operator"


class SagaNotFoundError(Refusal):
    """There is no such saga."""

    code = "saga_not_found"


class SagaNotParkedError(Refusal):
    """Only a parked saga is in an operator's hands; the others look after themselves."""

    code = "saga_not_parked"


class SagaPastPivotError(Refusal):
    """After its pivot a saga only goes forward: what it did is undone by a saga of its own."""

    code = "saga_past_pivot"


class StepNotSettledError(Refusal):
    """A person would take a step as settled whose effect is open or did not come about."""

    code = "saga_step_not_settled"


@dataclass(frozen=True)
class Instruction:
    """Who wants something done to which saga, why, and when."""

    saga_id: UUID
    operator: str
    reason: str
    now: datetime


def retry(instruction: Instruction) -> None:
    """Let a parked saga try its step again at once, with all its attempts.

    Raises SagaNotFoundError, SagaNotParkedError.
    """
    _act(
        instruction,
        "retry",
        lambda saga, _definition: _go_on(saga, SagaStatus(saga.parked_from), saga.cursor),
    )


def compensate(instruction: Instruction) -> None:
    """Let a parked saga undo what it did, from its current step backwards.

    Raises SagaNotFoundError, SagaNotParkedError, SagaPastPivotError.
    """

    def turn_round(saga: Saga, definition: SagaDefinition) -> None:
        if saga.parked_from == SagaStatus.RUNNING and saga.cursor > definition.pivot_index:
            raise SagaPastPivotError(f"{saga} is past its pivot; retry it or resolve its step.")
        saga.reason = saga.reason or CANCELLED_BY_OPERATOR
        _go_on(saga, SagaStatus.COMPENSATING, saga.cursor)

    _act(instruction, "compensate", turn_round)


def resolve(instruction: Instruction) -> None:
    """Take a parked saga's current step as settled, because a person has made sure that it is.

    The saga goes on with the next step (while compensating: the one before).
    Raises SagaNotFoundError, SagaNotParkedError, and StepNotSettledError when what is written says otherwise.
    """

    def step_over(saga: Saga, definition: SagaDefinition) -> None:
        status = SagaStatus(saga.parked_from)
        _refuse_unsettled(saga, definition.steps[saga.cursor], status, instruction.now)
        following = saga.cursor + (1 if status is SagaStatus.RUNNING else -1)
        if 0 <= following < len(definition.steps):
            _go_on(saga, status, following)
        else:
            _end(saga, definition, status, instruction.now)

    _act(instruction, "resolve", step_over)


def _act(instruction: Instruction, action: str, change: Callable[[Saga, SagaDefinition], None]) -> None:
    with transaction.atomic():
        saga = Saga.objects.select_for_update().filter(pk=instruction.saga_id).first()
        if saga is None:
            raise SagaNotFoundError(f"There is no saga {instruction.saga_id}.")
        if saga.status != SagaStatus.PARKED:
            raise SagaNotParkedError(f"{saga} is not parked; only a parked saga can be worked on.")
        definition = definition_of(saga.definition, saga.version)
        step = definition.steps[saga.cursor].name
        change(saga, definition)
        saga.fence += 1
        # One that is parked over a doubt may just be asked about; whoever asks writes nothing any more.
        saga.lease_owner, saga.lease_until, saga.rung_at = "", None, None
        saga.due_at = None if saga.ended_at else instruction.now
        saga.save()
        OperatorAction.objects.create(
            saga=saga,
            operator=instruction.operator,
            action=action,
            reason=instruction.reason,
            step=step,
            at=instruction.now,
        )


def _refuse_unsettled(saga: Saga, step: Step, status: SagaStatus, now: datetime) -> None:
    action = step.undo if status is SagaStatus.COMPENSATING else step.do
    reason = action.unsettled(_run(saga, now)) if isinstance(action, Resolvable) else ""
    if reason:
        raise StepNotSettledError(f"{step.name} is not settled. {reason}")


def _run(saga: Saga, now: datetime) -> Run:
    return Run(saga.id, saga.business_key, saga.data, now, saga.deadline_at, saga.reason)


def _go_on(saga: Saga, status: SagaStatus, cursor: int) -> None:
    saga.status, saga.cursor, saga.parked_from = status, cursor, ""
    saga.attempt = saga.waits = 0


def _end(saga: Saga, definition: SagaDefinition, status: SagaStatus, now: datetime) -> None:
    saga.status, saga.ended_at = SagaStatus.COMPLETED, now
    if status is SagaStatus.COMPENSATING:
        saga.status = SagaStatus.COMPENSATED
        if definition.on_compensated:
            definition.on_compensated([_run(saga, now)])
