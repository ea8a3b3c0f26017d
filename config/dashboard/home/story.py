"""What the home page tells of a stretch of time: read once for everybody who looks, as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.db.models import Sum

from analytics.models import Tally
from config.dashboard.home.charts import CHARTS, Grid, Line, share
from config.dashboard.home.incidents import incidents
from config.dashboard.home.tiles import ASKED, tiles_of
from config.dashboard.home.window import SPANS, Window
from resilience import clock
from resilience.caching import Lifetime, Loaded, Namespace, declare
from resilience.rest.kept import Kept
from resilience.rest.rendering import to_json
from resilience.routing import database_for_reads, read_on_replica
from resilience.telemetry.reading import Asked, several

STORIES = declare(
    Namespace(
        name="dashboard",
        owner="config",
        keyed_by=("span",),
        voided_by=(),
        not_told="what was counted since: a story lives for five seconds",
        version=1,
    )
)
# What processes count arrives every ten seconds.
_FRESH = Lifetime(soft_s=5.0, grace_s=15.0, hard_s=60.0)
# A probe that says "not yet" is no fault, and whoever looks at this page makes nothing better.
_NO_REQUESTS = (
    "/livez",
    "/readyz",
    "/healthz",
    "/metrics",
    "/admin/now.json",
    "/admin/story.json",
    # It says "not yet" too, to the second who asks for a run.
    "/admin/lab/<str:name>/",
    "other",
)
_REQUESTS = Asked("http_request_s", by=("status",), without={"route": _NO_REQUESTS})
_FINE = frozenset({"1xx", "2xx", "3xx", "4xx"})


def story_of(span: str) -> Kept:
    """Return the story of a span of `SPANS` as it is kept."""

    def load() -> Loaded:
        told = read_on_replica(lambda: _tell(span, now=clock.now()), replica="dashboard")
        return Loaded(to_json(told).encode(), _FRESH)

    return Kept(STORIES, STORIES.key(span), load)


def _tell(span: str, *, now: datetime) -> dict[str, Any]:
    """Return tiles, charts, availability and incidents; four statements."""
    alias = database_for_reads()
    window = Window.ending(now, SPANS[span])
    grid = Grid.of(window.start, window.end, window.step)
    asked = [one for chart in CHARTS for one in chart.asked]
    read = several(
        [*ASKED, _REQUESTS, *asked],
        start=window.start,
        end=window.end,
        resolution=window.resolution,
        alias=alias,
    )
    before = several(ASKED, start=window.before, end=window.start, resolution=window.resolution, alias=alias)
    rest = iter(read[len(ASKED) + 1 :])
    return {
        "span": span,
        "start": _milliseconds(grid.start),
        "step": int(grid.step.total_seconds() * 1000),
        "count": grid.count,
        "tiles": [
            asdict(tile)
            for tile in tiles_of(read[: len(ASKED)], before, grid=grid, captured=_captured(now, alias=alias))
        ],
        "charts": {
            chart.name: [asdict(line) for line in chart.draw([next(rest) for _one in chart.asked], grid)]
            for chart in CHARTS
        },
        "available": _available(share(of=_FINE, label="answered")([read[len(ASKED)]], grid)),
        "incidents": [
            {**asdict(one), "at": _milliseconds(one.at)} for one in incidents(since=window.start, alias=alias)
        ],
    }


def _captured(now: datetime, *, alias: str) -> Mapping[str, int]:
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = (
        Tally.objects.using(alias)
        .filter(grain="day", at=today, measure="payment.captured")
        .values_list("currency")
        .annotate(minor=Sum("amount_minor"))
    )
    return dict(rows)


def _available(lines: list[Line]) -> list[float | None]:
    return lines[0].values if lines else []


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
