"""The home page's live parts, as JSON: what is true now, and the story of a stretch of time."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.dashboard.home.charts import CHARTS
from config.dashboard.home.sentence import sentence_of
from config.dashboard.home.story import story_of
from config.dashboard.home.window import DEFAULT, SPANS
from resilience import clock, pulse
from resilience.health.backlogs import backlogs
from resilience.health.report import Report, as_document, runner
from resilience.rest.kept import answer_kept


def home_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the page needs before its first live part has come (settings.UNFOLD)."""
    pulse.ensure_running()
    backlogs.is_wanted = True
    span = request.GET.get("span", DEFAULT)
    return context | {
        "title": "Home",
        "charts": CHARTS,
        "spans": SPANS.values(),
        "span": span if span in SPANS else DEFAULT,
        "now": _now(runner.last()),
        "chart_shapes": {
            chart.name: {"unit": chart.unit, "stacked": chart.is_stacked, "title": chart.title}
            for chart in CHARTS
        },
    }


@never_cache
@require_safe
def now(request: HttpRequest) -> HttpResponse:
    """Answer what is true now, from this process's memory."""
    pulse.ensure_running()
    backlogs.is_wanted = True
    return JsonResponse(_now(runner.last()))


@require_safe
def story(request: HttpRequest) -> HttpResponseBase:
    """Answer tiles, charts and incidents of `span`; 404 for one that there is not.

    403 for who may not see orders: it tells what was taken, and who did what.
    """
    if not request.user.has_perm(_NEEDED):
        return JsonResponse({"detail": "This needs the permission to view orders."}, status=403)
    span = request.GET.get("span", DEFAULT)
    if span not in SPANS:
        return JsonResponse({"detail": f"Ask for one of: {', '.join(SPANS)}."}, status=404)
    body = story_of(span).body()
    if body is None:
        raise AssertionError("a story without orders is a story")
    return answer_kept(request, body)


_NEEDED = "orders.view_order"
_SHOWN = ("status", "observedValue", "observedUnit")
now_view = admin.site.admin_view(now)
story_view = admin.site.admin_view(story, cacheable=True)


def _now(report: Report | None) -> dict[str, Any]:
    sentence = sentence_of(report)
    document = as_document(report) if report else {"checks": {}, "reduced": []}
    return {
        "at": clock.now().isoformat(),
        "level": sentence.level.value,
        "text": sentence.text,
        "more": sentence.more,
        "reduced": document["reduced"],
        "checks": [
            {"name": name} | {key: entries[0].get(key) for key in _SHOWN}
            for name, entries in document["checks"].items()
        ],
    }
