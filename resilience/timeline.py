"""What happened, in order of time: entries of many sources, read a window at a time and merged into pages.

A page never reads a whole history: each source gives its first rows at or after the cursor's moment, and the
first `limit` of all of them are the page. That is right as long as one source has fewer rows of the very same
moment than `ROWS_MAX` leaves beside a page.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Case, F, Model, QuerySet, When
from django.db.models.functions import Least

from resilience.events.models import LoggedEvent
from resilience.rest.client_text import client_text
from resilience.saga.models import OperatorAction, Saga, SagaStep

# Rows that one page reads of one source: five full pages, so that four hundred rows may share a moment.
# Much less, and a batch of refunds in one transaction could be cut; much more, and a page reads megabytes.
ROWS_MAX = 500
# Sagas beside the order's own (its refunds, observations of its payments) that a timeline follows.
KEYS_MAX = 1000
# A bug's own words are for us.
_CRASHED = "crashed"
_INTERNAL_ERROR = "internal_error"
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """One thing that happened. `place` names it among the entries of one moment, and puts them in an order.

    Its first digit is what follows from what: something begins (0), an answer comes (1, 2), ends it (3), is
    booked (4) and told (5), the step is done (6, 7), the next question is asked (8), the saga ends (9).
    """

    at: datetime
    kind: str
    title: str
    details: Mapping[str, object]
    place: str

    @property
    def key(self) -> str:
        """Return what a cursor says of it."""
        return f"{self.at.astimezone(UTC).isoformat()} {self.place}"


@dataclass(frozen=True)
class Window:
    """The part of a timeline that is wanted: behind the entry at `since` in `place`."""

    since: datetime = _BEGINNING
    place: str = ""

    @classmethod
    def behind(cls, key: str | None) -> "Window":
        """Return the window behind the entry of this key; all of it for None."""
        if key is None:
            return cls()
        since, _, place = key.partition(" ")
        return cls(datetime.fromisoformat(since), place)

    def rows(self, rows: QuerySet[Any], *columns: str) -> QuerySet[Any]:
        """Return the first rows with a time in one of `columns` that is in this window."""
        moments = [Case(When(**{f"{column}__gte": self.since}, then=F(column))) for column in columns]
        first = Least(*moments) if len(moments) > 1 else moments[0]
        return (
            rows.annotate(first_at=first).filter(first_at__isnull=False).order_by("first_at", "pk")[:ROWS_MAX]
        )

    def merge(self, *sources: Iterable[Entry]) -> list[Entry]:
        """Return the entries of all sources that are in this window, in order of time."""
        inside = (
            entry
            for source in sources
            for entry in source
            if (entry.at, entry.place) > (self.since, self.place)
        )
        return sorted(inside, key=lambda entry: (entry.at, entry.place))


def saga_entries(*, business_keys: Sequence[UUID], window: Window) -> list[Entry]:
    """Return what the sagas of these keys did, and what operators did to them; three statements."""
    sagas = Saga.objects.filter(business_key__in=business_keys)
    steps = SagaStep.objects.filter(saga__business_key__in=business_keys).select_related("saga")
    actions = OperatorAction.objects.filter(saga__business_key__in=business_keys).select_related("saga")
    return [
        *(entry for saga in window.rows(sagas, "created_at", "ended_at") for entry in _of_saga(saga)),
        *(_of_step(step) for step in window.rows(steps, "finished_at")),
        *(_of_action(action) for action in window.rows(actions, "at")),
    ]


def event_entries(*, aggregates: Mapping[str, Sequence[UUID]], window: Window) -> list[Entry]:
    """Return the events of these aggregates (ids by type); one statement."""
    ids = [aggregate_id for of_type in aggregates.values() for aggregate_id in of_type]
    rows = LoggedEvent.objects.filter(aggregatetype__in=list(aggregates), aggregateid__in=ids)
    return [_of_event(row) for row in window.rows(rows, "occurred_at")]


def _of_saga(saga: Saga) -> Iterable[Entry]:
    details = {"saga": saga.definition, "version": saga.version}
    yield Entry(saga.created_at, "saga", f"{saga.definition} began", details, f"0:{_named(saga)}")
    if saga.ended_at:
        ended = {**details, "status": saga.status, "reason": client_text(saga.reason) or None}
        yield Entry(saga.ended_at, "saga", f"{saga.definition} {saga.status}", ended, f"9:{_named(saga)}")


def _of_step(step: SagaStep) -> Entry:
    error = _INTERNAL_ERROR if step.outcome == _CRASHED else client_text(step.error)
    return Entry(
        at=step.finished_at,
        kind="step",
        title=f"{'Undo ' if step.direction == 'undo' else ''}{step.step}: {step.outcome}",
        details={
            "saga": step.saga.definition,
            "step": step.step,
            "direction": step.direction,
            "attempt": step.attempt,
            "outcome": step.outcome,
            "error": error or None,
            "delay_s": step.delay_s,
            "started_at": step.started_at,
        },
        place=f"6:{step.pk:020}",
    )


def _of_action(action: OperatorAction) -> Entry:
    # Without the name: who works here is nothing that a client needs.
    return Entry(
        at=action.at,
        kind="operator_action",
        title=f"An operator chose to {action.action}",
        details={
            "saga": action.saga.definition,
            "step": action.step,
            "action": action.action,
            "reason": client_text(action.reason) or None,
        },
        place=f"7:{_named(action)}",
    )


def _of_event(event: LoggedEvent) -> Entry:
    return Entry(
        at=event.occurred_at,
        kind="event",
        title=event.type,
        details={
            "type": event.type,
            "version": event.version,
            "sequence": event.sequence,
            "aggregate": {"type": event.aggregatetype, "id": event.aggregateid},
            "data": event.payload,
        },
        place=f"5:{event.sequence:010}:{_named(event)}",
    )


def _named(row: Model) -> str:
    return str(row.pk)
