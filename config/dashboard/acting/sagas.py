"""What may be done to parked sagas."""

from collections.abc import Callable, Sequence

from config.dashboard.acting.act import Act, Foreseen, Wish, foreseeing, uuid_of
from resilience.saga import operate
from resilience.saga.diagram import undo_index
from resilience.saga.models import Saga
from resilience.saga.registry import UnknownDefinitionError, definition_of
from resilience.saga.states import SagaStatus


def _foresee(what: Callable[[Saga], str]) -> Callable[[Sequence[str]], list[Foreseen]]:
    def describe(saga: Saga) -> Foreseen:
        id_, title = str(saga.pk), f"{saga.definition} of {saga.business_key}"
        if saga.status != SagaStatus.PARKED:
            return Foreseen(id_, title, refusal=f"It is {saga.status}, not parked: it looks after itself.")
        try:
            return Foreseen(id_, title, what(saga))
        except (UnknownDefinitionError, IndexError):
            return Foreseen(id_, title, refusal="This process does not know its definition.")

    return foreseeing(lambda: Saga.objects.using("default"), describe)


def _step(saga: Saga) -> str:
    return definition_of(saga.definition, saga.version).steps[saga.cursor].name


def _retries(saga: Saga) -> str:
    return f"Tries {_step(saga)} again at once, with all its attempts. Parked because: {saga.parked_reason}"


def _turns(saga: Saga) -> str:
    definition = definition_of(saga.definition, saga.version)
    if saga.parked_from == SagaStatus.RUNNING and saga.cursor > definition.pivot_index:
        return "It is past its pivot and will be refused: try again, or take its step as settled."
    undone, index = [], undo_index(definition, saga.cursor)
    while index is not None:
        undone.append(definition.steps[index].name)
        index = undo_index(definition, index - 1) if index else None
    return f"Undoes {', then '.join(undone) or 'nothing: no step so far has anything to undo'}."


def _steps_over(saga: Saga) -> str:
    return (
        f"Takes {_step(saga)} as done and goes on behind it. Refused while a gateway's answer is owed or "
        "what is written says that it did not come about."
    )


def _instruction(wish: Wish) -> operate.Instruction:
    return operate.Instruction(uuid_of(wish), wish.by, wish.reason, wish.now)


def _retry(wish: Wish) -> str:
    operate.retry(_instruction(wish))
    return "tries again now"


def _compensate(wish: Wish) -> str:
    operate.compensate(_instruction(wish))
    return "turns round"


def _resolve(wish: Wish) -> str:
    operate.resolve(_instruction(wish))
    return "goes on behind its step"


ACTS = (
    Act(
        "saga-retry",
        "Try again now",
        "The step that it stands at is tried again at once, as if for the first time. Nothing is charged "
        "twice: an operation keeps its idempotency key until its outcome is known.",
        _foresee(_retries),
        _retry,
    ),
    Act(
        "saga-compensate",
        "Turn round and undo",
        "What it did is undone, from its step backwards: money goes back, stock is released. "
        "It cannot be turned forward again.",
        _foresee(_turns),
        _compensate,
        is_dangerous=True,
    ),
    Act(
        "saga-resolve",
        "Take the step as settled",
        "You have made sure, at the gateway, that the step came about. It is not done again.",
        _foresee(_steps_over),
        _resolve,
        is_dangerous=True,
    ),
)
