"""Sagas that have not ended: which are parked and why, and where the others stand in their definitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connections
from django.http import HttpRequest

from config.dashboard.page import OPERATE, page
from resilience import clock
from resilience.saga.definition import SagaDefinition
from resilience.saga.models import Saga
from resilience.saga.registry import definitions
from resilience.saga.states import SagaStatus

# As many as an act takes at once.
_PARKED_SHOWN = 50


@dataclass(frozen=True)
class Standing:
    """How many sagas stand at one place, and since when the oldest of them exists and is due."""

    sagas: int = 0
    overdue: int = 0
    oldest_due_at: datetime | None = None


@dataclass(frozen=True)
class Stop:
    """One step of a definition. `forward`, `back` and `parked` are who stands there, going which way."""

    name: str
    is_pivot: bool
    can_undo: bool
    forward: Standing = field(default_factory=Standing)
    back: Standing = field(default_factory=Standing)
    parked: Standing = field(default_factory=Standing)


@page("dashboard/sagas.html", title="Sagas", permission="resilience.view_saga")
def sagas_view(request: HttpRequest) -> dict[str, Any]:
    """Return the parked sagas, the oldest first, and every definition with who stands at which step."""
    parked = Saga.objects.using("default").filter(status=SagaStatus.PARKED).order_by("created_at")
    shown = list(parked.defer("data")[: _PARKED_SHOWN + 1])
    standings = _standings()
    names = {definition.name: definition for definition in definitions()}
    return {
        "parked": [{"row": saga, "step": _step_of(saga, names)} for saga in shown[:_PARKED_SHOWN]],
        "has_more": len(shown) > _PARKED_SHOWN,
        "definitions": [
            {"name": one.name, "version": one.version, "stops": stops_of(one, standings)}
            for one in definitions()
        ],
        "open": sum(one.sagas for one in standings.values()),
        "overdue": sum(one.overdue for one in standings.values()),
        "may_act": request.user.has_perm(OPERATE),
        "now": clock.now(),
    }


Key = tuple[str, int, str, int]


def stops_of(definition: SagaDefinition, standings: Mapping[Key, Standing]) -> Sequence[Stop]:
    """Return a definition's steps with who stands at each."""

    def at(status: SagaStatus, cursor: int) -> Standing:
        return standings.get((definition.name, definition.version, status.value, cursor), Standing())

    return [
        Stop(
            name=step.name,
            is_pivot=step.pivot,
            can_undo=step.undo is not None,
            forward=at(SagaStatus.RUNNING, cursor),
            back=at(SagaStatus.COMPENSATING, cursor),
            parked=at(SagaStatus.PARKED, cursor),
        )
        for cursor, step in enumerate(definition.steps)
    ]


def _standings() -> dict[Key, Standing]:
    with connections["default"].cursor() as cursor:
        cursor.execute(_STANDINGS)
        return {
            (name, version, status, step): Standing(*rest) for name, version, status, step, *rest in cursor
        }


def _step_of(saga: Saga, names: Mapping[str, SagaDefinition]) -> str:
    definition = names.get(saga.definition)
    if definition is None or not 0 <= saga.cursor < len(definition.steps):
        return f"step {saga.cursor}"
    return definition.steps[saga.cursor].name


# Due or parked is all that has not ended; each part by an index that has nothing else.
_STANDINGS = """
SELECT definition, version, status, cursor, count(*), count(*) FILTER (WHERE due_at <= clock_timestamp()),
       min(due_at)
FROM (
    SELECT definition, version, status, cursor, due_at
    FROM resilience_saga
    WHERE due_at IS NOT NULL AND status <> 'parked'
    UNION ALL
    SELECT definition, version, status, cursor, due_at FROM resilience_saga WHERE status = 'parked'
) AS open
GROUP BY definition, version, status, cursor
"""
