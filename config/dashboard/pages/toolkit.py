"""The toolkit now: breakers, budgets, limits, databases, caches, flags and every check of health."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import redis
from django.http import HttpRequest

from config.dashboard.page import OPERATE, page
from resilience import clock, pulse
from resilience.breaker import BreakerState, Force, Standing, fleet_standings, standings
from resilience.flags import Flag, Sample, Switch, declared
from resilience.flags.in_words import value_in_words
from resilience.flags.models import FlagChange, FlagGuard
from resilience.health.backlogs import backlogs
from resilience.health.check import Status
from resilience.health.report import Result, runner
from resilience.limits.report import reports
from resilience.routing import database_for_reads, primary_state, read_on_replica, replica_state
from resilience.routing.databases import PRIMARY
from resilience.telemetry.reading import Asked, Resolution, SeriesPoints, several

_LATELY = timedelta(minutes=15)
_KINDS = {Switch: "switch", Flag: "flag", Sample: "sample"}
_LEVELS = {Status.PASS: "good", Status.WARN: "reduced", Status.FAIL: "down"}
_STATE_LEVELS = {
    BreakerState.CLOSED: "good",
    BreakerState.OPEN: "down",
    BreakerState.HALF_OPEN: "reduced",
    BreakerState.RAMPING: "reduced",
}
_ASKED = (
    Asked("budget_calls_total", by=("dependency",)),
    Asked("budget_retries_wasted_total", by=("dependency",)),
    Asked("cache_reads_total", by=("cache", "outcome")),
)
_HITS = frozenset({"fresh", "early", "stale", "refreshing"})


@dataclass(frozen=True)
class Spending:
    """What a dependency's retry budget saw lately: of `calls`, `wasted` were retries that failed again."""

    dependency: str
    calls: int
    wasted: int


@dataclass(frozen=True)
class Hits:
    """How many of a cache's reads were answered from it lately."""

    cache: str
    reads: int
    hits: int

    @property
    def share(self) -> int:
        """In per cent, rounded down: one miss in a thousand is not none."""
        return 100 * self.hits // self.reads if self.reads else 0


@page("dashboard/toolkit.html", title="Resilience", permission="resilience.view_breakertransition")
def toolkit_view(request: HttpRequest) -> dict[str, Any]:
    """Return how the tools stand: from memory and Redis, and what was counted lately from the replica."""
    pulse.ensure_running()
    backlogs.is_wanted = True
    breakers, is_fleet = _breakers()
    now = clock.now()
    counted = read_on_replica(
        lambda: several(
            _ASKED,
            start=now - _LATELY,
            end=now,
            resolution=Resolution.TEN_SECONDS,
            alias=database_for_reads(),
        ),
        replica="dashboard",
    )
    replica, report = replica_state(), runner.last()
    return {
        "breakers": [_shown(one) for one in breakers],
        "is_fleet": is_fleet,
        "spendings": spendings_of(*counted[:2]),
        "caches": hits_of(counted[2]),
        "limits": reports.fleet(),
        "primary": primary_state(),
        "replica": replica,
        "flags": _flags(),
        "groups": groups_of(report.results) if report else [],
        "may_act": request.user.has_perm(OPERATE),
    }


def _breakers() -> tuple[Sequence[Standing], bool]:
    try:
        return fleet_standings(), True
    except redis.RedisError:
        return standings(), False


def _shown(standing: Standing) -> dict[str, Any]:
    state = standing.forced or standing.state
    level = "down" if standing.forced is Force.FORCED_OPEN else _STATE_LEVELS[standing.state]
    return {"row": standing, "state": state.value.replace("_", " "), "level": level}


def spendings_of(calls: Sequence[SeriesPoints], wasted: Sequence[SeriesPoints]) -> list[Spending]:
    """Return each dependency's spending, by name."""
    lost = {one.labels["dependency"]: _sum(one) for one in wasted}
    found = [Spending(one.labels["dependency"], _sum(one), 0) for one in calls]
    return sorted(
        (Spending(one.dependency, one.calls, lost.get(one.dependency, 0)) for one in found),
        key=lambda one: one.dependency,
    )


def hits_of(reads: Sequence[SeriesPoints]) -> list[Hits]:
    """Return each cache's hits, by name."""
    counted: dict[str, list[int]] = {}
    for one in reads:
        both = counted.setdefault(one.labels["cache"], [0, 0])
        both[0] += _sum(one)
        both[1] += _sum(one) if one.labels["outcome"] in _HITS else 0
    return [Hits(cache, *counted[cache]) for cache in sorted(counted)]


def groups_of(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the checks by the part that they are of, the worst part first."""
    parts: dict[str, list[Result]] = {}
    for result in results:
        parts.setdefault(result.check.name.partition(":")[0], []).append(result)
    order = [Status.FAIL, Status.WARN, Status.PASS]

    def worst(found: Sequence[Result]) -> Status:
        return min((one.finding.status for one in found), key=order.index)

    return [
        {
            "part": part,
            "level": _LEVELS[worst(found)],
            "checks": [{"row": one, "level": _LEVELS[one.finding.status]} for one in found],
        }
        for part, found in sorted(parts.items(), key=lambda item: (order.index(worst(item[1])), item[0]))
    ]


def _flags() -> list[dict[str, Any]]:
    guards = {guard.flag: guard for guard in FlagGuard.objects.using(PRIMARY).all()}
    names = [one.name for one in declared()]
    changes = (
        FlagChange.objects.using(PRIMARY).filter(name__in=names).order_by("name", "-at").distinct("name")
    )
    last = {change.name: change for change in changes}
    return [
        {"row": one, "kind": _KINDS[type(one)], "value": value_in_words(one)}
        | {"guard": guards.get(one.name), "change": last.get(one.name)}
        for one in declared()
    ]


def _sum(one: SeriesPoints) -> int:
    return int(sum(point.value for point in one.points))
