"""What is told of a batch once it is committed: counts, times, spans, and the ids that log lines carry.

Never before: a transaction that is rolled back did nothing, however often it is tried.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from resilience.saga.definition import SagaDefinition
from resilience.saga.registry import UnknownDefinitionError, definition_of
from resilience.saga.states import TERMINAL
from resilience.saga.store import Claimed, LogLine
from resilience.telemetry import counter, histogram, trace

_UUID7_TIME_SHIFT = 80

Told = tuple[Claimed, LogLine]


def ids_of(saga: Claimed) -> dict[str, str]:
    """Return what log lines about `saga` carry."""
    ids = {"saga_id": str(saga.id), _subject_of(saga): str(saga.business_key)}
    return {**ids, "trace_id": trace.id_of(saga.trace)} if saga.trace else ids


def tell_steps(lines: Sequence[Told]) -> None:
    """Count the steps that were taken."""
    steps = Counter((saga.definition, line.step, line.direction, line.outcome) for saga, line in lines)
    for (definition, step, direction, outcome), times in steps.items():
        counter(
            "saga_steps_total", definition=definition, step=step, direction=direction, outcome=outcome
        ).add(times)
    for saga, line in lines:
        if line.delay_s is not None:
            histogram(
                "saga_wait_s", definition=saga.definition, step=line.step, outcome=line.outcome
            ).observe(line.delay_s)
    if trace.tracing().is_on:
        _tell_spans(lines)


def tell_ended(sagas: Iterable[Claimed], *, now: datetime) -> None:
    """Count the sagas that ended, with the time they took, and those that are parked anew."""
    for saga in sagas:
        if saga.parked_reason:
            if not saga.was_parked:
                counter("saga_parked_total", definition=saga.definition).add(1)
        elif saga.due_at is None and saga.status in TERMINAL:
            histogram("saga_settle_s", definition=saga.definition, outcome=saga.status.value).observe(
                max(0.0, now.timestamp() - _began_at(saga))
            )


def _tell_spans(lines: Iterable[Told]) -> None:
    """A step that asked nobody is over when it is told; one that asked has a span since it did."""
    for saga, line in lines:
        if saga.trace and line.started_at == line.finished_at:
            at_ns = int(line.finished_at.timestamp() * 1e9)
            trace.tracing().begin(
                f"{saga.definition}.{line.step}.{line.direction}",
                kind="internal",
                parent=saga.trace,
                attributes=ids_of(saga),
                at_ns=at_ns,
            ).end(outcome=line.outcome, at_ns=at_ns)


def _began_at(saga: Claimed) -> float:
    """A UUIDv7 begins with its milliseconds since 1970, so that no column has to be read for them."""
    return (saga.id.int >> _UUID7_TIME_SHIFT) / 1000


def _subject_of(saga: Claimed) -> str:
    try:
        return definition_of(saga.definition, saga.version).subject
    except UnknownDefinitionError:
        return SagaDefinition.subject
