"""A saga as a drawing: a row for each step, a bar for each attempt, what was waited between. Pure.

Each saga has a scale of its own, from its beginning to its end: a placement takes a fifth of a second, and
the refund that follows it in March would leave nothing to see of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from resilience.saga.models import Saga, SagaStep
from resilience.saga.states import SagaStatus

# A bar that is narrower cannot be seen or pointed at.
_WIDTH_MIN = 0.6
# A "no" of the business, a doubt and a wait for somebody are nothing broken.
_LEVELS = {"done": "good", "failed": "down", "crashed": "down"}


@dataclass(frozen=True)
class Bar:
    """From `left` so far (both per cent of the scale); `level` is good, reduced, down or wait."""

    left: float
    width: float
    level: str
    text: str


@dataclass(frozen=True)
class Row:
    """One step in one direction, in the order in which steps came first."""

    step: str
    is_undo: bool
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Drawing:
    """One saga. `took_s` until its end, or until now."""

    saga: Saga
    level: str
    took_s: float
    rows: tuple[Row, ...]


def draw(saga: Saga, steps: Sequence[SagaStep], *, now: datetime) -> Drawing:
    """Return the drawing of `saga` from its log, oldest line first."""
    end = max([saga.ended_at or now, saga.created_at, *(step.finished_at for step in steps)])
    scale = _Scale(saga.created_at, max(end - saga.created_at, timedelta(milliseconds=1)))
    bars: dict[tuple[str, bool], list[Bar]] = {}
    for step in steps:
        row = bars.setdefault((step.step, step.direction == "undo"), [])
        row.append(
            scale.bar(step.started_at, step.finished_at, _LEVELS.get(step.outcome, "reduced"), _told(step))
        )
        if step.delay_s:
            until = min(step.finished_at + timedelta(seconds=step.delay_s), end)
            row.append(scale.bar(step.finished_at, until, "wait", f"waits {step.delay_s:.3g} s"))
    rows = tuple(Row(name, is_undo, tuple(drawn)) for (name, is_undo), drawn in bars.items())
    return Drawing(saga, _level_of(SagaStatus(saga.status)), (end - saga.created_at).total_seconds(), rows)


@dataclass(frozen=True)
class _Scale:
    start: datetime
    length: timedelta

    def bar(self, start: datetime, end: datetime, level: str, text: str) -> Bar:
        left = min(100 - _WIDTH_MIN, max(0.0, 100 * ((start - self.start) / self.length)))
        width = max(_WIDTH_MIN, 100 * ((end - start) / self.length))
        return Bar(round(left, 2), round(min(width, 100 - left), 2), level, text)


def _told(step: SagaStep) -> str:
    took_ms = 1000 * (step.finished_at - step.started_at).total_seconds()
    return (
        f"attempt {step.attempt}: {step.outcome}, {took_ms:.0f} ms{f', {step.error}' if step.error else ''}"
    )


def _level_of(status: SagaStatus) -> str:
    if status is SagaStatus.PARKED:
        return "down"
    return "good" if status is SagaStatus.COMPLETED else "reduced"
