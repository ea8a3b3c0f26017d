"""The states of a saga and the moves between them."""

from enum import StrEnum


class SagaStatus(StrEnum):
    """Where a saga is. The last two are terminal."""

    RUNNING = "running"
    COMPENSATING = "compensating"
    PARKED = "parked"
    COMPLETED = "completed"
    COMPENSATED = "compensated"


EDGES: dict[SagaStatus, frozenset[SagaStatus]] = {
    SagaStatus.RUNNING: frozenset({SagaStatus.COMPENSATING, SagaStatus.PARKED, SagaStatus.COMPLETED}),
    SagaStatus.COMPENSATING: frozenset({SagaStatus.PARKED, SagaStatus.COMPENSATED}),
    # By hand: on, round, or over the last step that was left (resilience/saga/operate.py). By itself only
    # when it was parked over a doubt and the answer came.
    SagaStatus.PARKED: frozenset(
        {SagaStatus.RUNNING, SagaStatus.COMPENSATING, SagaStatus.COMPLETED, SagaStatus.COMPENSATED}
    ),
    SagaStatus.COMPLETED: frozenset(),
    SagaStatus.COMPENSATED: frozenset(),
}

ACTIVE = frozenset({SagaStatus.RUNNING, SagaStatus.COMPENSATING})
TERMINAL = frozenset({SagaStatus.COMPLETED, SagaStatus.COMPENSATED})
