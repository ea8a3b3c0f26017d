"""Draws sagas and edge tables as Mermaid state diagrams, which GitHub and most editors show."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TypeVar

from resilience.saga.decide import CRASHES_MAX
from resilience.saga.definition import SagaDefinition, Step

State = TypeVar("State", bound=StrEnum)

_COMPENSATED, _COMPLETED, _PARKED = "compensated", "completed", "parked"


def draw_saga(definition: SagaDefinition) -> str:
    """Return the diagram of a definition: steps downwards, compensations back, the pivot marked.

    Each arrow to `parked` is there; waiting and trying again, which every state does, is not.
    """
    return "\n".join(["stateDiagram-v2", *(f"    {line}" for line in _saga_lines(definition))]) + "\n"


def draw_edges(edges: Mapping[State, frozenset[State]], *, first: State) -> str:
    """Return the diagram of an edge table that is entered at `first`."""
    lines = [f"[*] --> {first.value}"]
    for state, targets in edges.items():
        lines += [f"{state.value} --> {target.value}" for target in type(state) if target in targets]
        if not targets:
            lines.append(f"{state.value} --> [*]")
    return "\n".join(["stateDiagram-v2", *(f"    {line}" for line in lines)]) + "\n"


def undo_index(definition: SagaDefinition, cursor: int) -> int | None:
    """Return the index of the first step at `cursor` or before it that has something to undo."""
    return next((index for index in range(cursor, -1, -1) if definition.steps[index].undo), None)


def _saga_lines(definition: SagaDefinition) -> Iterator[str]:
    steps = definition.steps
    yield f"[*] --> {steps[0].name}"
    for cursor, step in enumerate(steps):
        if step.pivot:
            yield f'state "{step.name} (pivot)" as {step.name}'
        following = steps[cursor + 1].name if cursor + 1 < len(steps) else _COMPLETED
        yield f"{step.name} --> {following} : done"
        if cursor <= definition.pivot_index:
            yield f"{step.name} --> {_undo_name(definition, cursor)} : refused, given up or cancelled"
            yield f"{step.name} --> {_PARKED} : crashed {CRASHES_MAX} times"
        else:
            yield f"{step.name} --> {_PARKED} : refused or given up"
    yield from _undo_lines(definition)
    yield f"{_COMPLETED} --> [*]"
    if definition.on_compensated:
        yield f'state "{_COMPENSATED}, {_name(definition.on_compensated)}" as {_COMPENSATED}'
    yield f"{_COMPENSATED} --> [*]"


def _undo_lines(definition: SagaDefinition) -> Iterator[str]:
    for cursor in range(min(definition.pivot_index, len(definition.steps) - 1), -1, -1):
        step = definition.steps[cursor]
        if step.undo:
            yield f'state "undo {step.name}" as {_undo_state(step)}'
            before = _undo_name(definition, cursor - 1) if cursor else _COMPENSATED
            yield f"{_undo_state(step)} --> {before} : done"
            yield f"{_undo_state(step)} --> {_PARKED} : refused or given up"


def _undo_name(definition: SagaDefinition, cursor: int) -> str:
    index = undo_index(definition, cursor)
    return _COMPENSATED if index is None else _undo_state(definition.steps[index])


def _name(action: object) -> str:
    return getattr(action, "__name__", type(action).__name__)


def _undo_state(step: Step) -> str:
    return f"undo_{step.name}"
