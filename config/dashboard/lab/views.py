"""The lab's pages: all experiments, and one of them with its settings, tables and charts."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from config.dashboard.lab.apart import LIMIT_S, run_apart
from config.dashboard.lab.asked import asked_of
from config.dashboard.lab.desk import Desk
from config.dashboard.lab.figures import picture_of, sheet_of
from config.dashboard.lab.form import fields_of
from config.dashboard.page import page, require
from config.problems import Problem, problem_of
from resilience.errors import Operational, Refusal
from resilience.lab import Experiment, experiments

_TEMPLATE = "dashboard/lab.html"
_NEEDED = "orders.view_order"
# What runs and what was found is this process's own.
desk = Desk(run=run_apart)


@page(_TEMPLATE, title="Lab", permission=_NEEDED)
def lab_view(request: HttpRequest) -> dict[str, Any]:
    """Show which experiments there are."""
    return {"experiments": experiments().values()}


@require_safe
def experiment(request: HttpRequest, name: str) -> HttpResponseBase:
    """Show an experiment, and what it finds when the address has settings; 404 for one that there is not.

    Not a `page`, which always answers 200: what is refused is told on the page, with the status that it has.
    """
    require(request, _NEEDED)
    chosen = experiments().get(name)
    if chosen is None:
        raise Http404(f"There is no experiment {name!r}.")
    shown, problem = _shown(chosen, request.GET.dict())
    frame = admin.site.each_context(request) | {"title": chosen.title, "experiments": experiments().values()}
    return TemplateResponse(
        request,
        _TEMPLATE,
        frame | shown,
        status=problem.status if problem else None,
        headers=dict(problem.headers) if problem else None,
    )


experiment_view = admin.site.admin_view(experiment)


def _shown(chosen: Experiment, told: Mapping[str, str]) -> tuple[dict[str, Any], Problem | None]:
    """Return what the template shows, and what is wrong; who only opens the page runs nothing."""
    shown: dict[str, Any] = {"experiment": chosen, "fields": fields_of(chosen, told), "limit_s": LIMIT_S}
    try:
        asked = asked_of(chosen, told)
        shown["command"] = asked.command
        return shown | (_found(desk.find(asked)) if told else {}), None
    except (Refusal, Operational) as error:
        wrong = fields_of(chosen, told, wrong=error.facts.get("name"))
        return shown | {"fields": wrong, "refusal": error.message}, problem_of(error)


def _found(finding: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "finding": finding,
        "tables": [sheet_of(table) for table in finding["tables"]],
        "pictures": [picture_of(chart) for chart in finding["charts"]],
        "charts": finding["charts"],
    }
