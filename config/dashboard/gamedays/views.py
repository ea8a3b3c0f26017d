"""The pages of game days: choose one, watch it, read what it found."""

from typing import Any

from django.contrib import admin
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from config.dashboard.gamedays.holding import is_possible, log_text, under_way
from config.dashboard.gamedays.reports import FILES, file_of, held, read
from config.dashboard.page import OPERATE, page, require
from config.gameday.scenarios import SCENARIOS

_SEE = "orders.view_order"
_LEVELS = {"pass": "good", "missed": "reduced", "fail": "down"}


@page("dashboard/gamedays.html", title="Game days", permission=_SEE)
def gamedays_view(request: HttpRequest) -> dict[str, Any]:
    """Return what can be held, what is held now, and what was."""
    now = under_way()
    return {
        "scenarios": SCENARIOS,
        "under_way": now,
        "last_log": "" if now else log_text(),
        "is_possible": is_possible(),
        "held": [{"row": one, "level": _LEVELS.get(one.verdict, "down")} for one in held()],
        "may_act": request.user.has_perm(OPERATE),
    }


@page("dashboard/gameday.html", title="Game day", permission=_SEE)
def gameday_view(_request: HttpRequest, name: str) -> dict[str, Any]:
    """Return what one game day found; 404."""
    one = read(name)
    if one is None:
        raise Http404(f"There is no game day {name}.")
    return {
        "title": f"Game day: {one.scenario}",
        "one": one,
        "level": _LEVELS.get(one.verdict, "down"),
        "expectations": one.document["expectations"],
        "reduced": sorted(one.document["reduced"].items()),
        "orders": one.document["orders"].items(),
        "files": [file for file in FILES if file_of(name, file)],
    }


@require_safe
def file(request: HttpRequest, name: str, file: str) -> HttpResponseBase:
    """Answer a file of a report; 404."""
    require(request, _SEE)
    path = file_of(name, file)
    if path is None:
        raise Http404(f"There is no {file} of {name}.")
    is_picture = file.endswith(".png")
    return FileResponse(
        path.open("rb"),
        content_type=FILES[file],
        as_attachment=not is_picture,
        filename=f"{name}-{file}",
    )


file_view = admin.site.admin_view(file, cacheable=True)
