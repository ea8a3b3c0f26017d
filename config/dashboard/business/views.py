"""The business page and its files: read the address, ask the kept report, show it."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from analytics.reports.definitions import REPORTS
from analytics.reports.download import download
from analytics.reports.keeping import body_of
from analytics.reports.reading import report_named, time_zones
from config.dashboard.business.asked import (
    COMPARISON_BY_DEFAULT,
    COMPARISONS,
    PARAMETERS,
    PERIODS,
    ZONE_BY_DEFAULT,
    Question,
    parameters_of,
    question_of,
)
from config.dashboard.business.found import Found
from config.dashboard.business.headline import tiles_of
from config.dashboard.business.heat import heat_of
from config.dashboard.business.looks import LOOKS
from config.dashboard.business.table import table_of
from config.dashboard.business.told import empty_of, told_of
from config.dashboard.page import page, require
from config.problems import problem_of
from payments.money import EXPONENTS
from resilience import clock
from resilience.errors import Refusal

NEEDED = "orders.view_order"
FORMATS = {"csv": "CSV", "parquet": "Parquet"}
_TEMPLATE, _TITLE = "dashboard/business.html", "Business"
_FIRST = next(iter(REPORTS))


@page(_TEMPLATE, title=_TITLE, permission=NEEDED)
def business_view(request: HttpRequest, report: str = _FIRST) -> dict[str, Any]:
    """Show a report, or say what is wrong with the question."""
    try:
        question = _question(request, report, allowed=PARAMETERS)
        document = json.loads(body_of(question.asked))
    except Refusal as error:
        return _refused(request, report, error)
    return _choices(request, report, question) | _shown(question, document)


@require_safe
def export(request: HttpRequest, report: str) -> HttpResponseBase:
    """Stream the rows of a report as a file; what is wrong with the question is said on the page."""
    require(request, NEEDED)
    try:
        question = _question(request, report, allowed=PARAMETERS | {"format"})
        return download(question.asked, request.GET.get("format") or "csv")
    except Refusal as error:
        return _refused_view(request, report=report, error=error)


export_view = admin.site.admin_view(export)


def _refused(request: HttpRequest, report: str, error: Refusal) -> dict[str, Any]:
    problem = problem_of(error)
    return _choices(request, report, None) | {
        "refusal": problem.detail,
        "refused": [one.field for one in problem.errors],
        "status": problem.status,
    }


_refused_view = page(_TEMPLATE, title=_TITLE, permission=NEEDED)(_refused)


def _question(request: HttpRequest, report: str, *, allowed: frozenset[str]) -> Question:
    """Return what is asked. Raises ReportNotFoundError and InvalidRequest."""
    parameters = parameters_of(request.GET, allowed=allowed)
    return question_of(parameters, report=report_named(report), now=clock.now())


def _choices(request: HttpRequest, report: str, question: Question | None) -> dict[str, Any]:
    """Return what can be chosen, and what was; a question that was refused stands as it was typed."""
    known = REPORTS.get(report)
    typed = request.GET
    return {
        "report": known,
        "look": LOOKS[report] if known else None,
        "reports": [
            {
                "name": name,
                "title": look.title,
                "query": question.of(REPORTS[name]).query() if question else "",
            }
            for name, look in LOOKS.items()
        ],
        "periods": [
            {
                "title": period.title,
                "query": question.query(period=name) if question else f"period={name}",
                "is_chosen": question is not None and question.period == name,
            }
            for name, period in PERIODS.items()
        ],
        "comparisons": COMPARISONS,
        "currencies": sorted(EXPONENTS),
        "zones": time_zones(),
        "typed": {
            "from": typed.get("from", ""),
            "to": typed.get("to", ""),
            "period": typed.get("period") if typed.get("period") in PERIODS else "",
            "time_zone": typed.get("time_zone") or ZONE_BY_DEFAULT,
            "granularity": typed.get("granularity", ""),
            "currency": typed.get("currency", ""),
            "compare": typed.get("compare") or COMPARISON_BY_DEFAULT,
        },
    }


def _shown(question: Question, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return headline, chart and table of a report's document, or what to do about its emptiness."""
    asked, now = question.asked, clock.now()
    look, found = LOOKS[asked.report.name], Found.of(document, asked)
    told = told_of(document["told_until"], zone=asked.zone, now=now)
    frame = {
        "asked": asked,
        "told": told,
        "comparison": document["comparison"],
        "exports": [
            {"title": title, "query": question.query(format=name)} for name, title in FORMATS.items()
        ],
    }
    if found.is_empty:
        return frame | {"empty": empty_of(asked, told)}
    drawing = look.draw(found) if look.draw else None
    return frame | {
        "tiles": tiles_of(look.headline, found),
        "drawing": asdict(drawing) if drawing else None,
        "heat": None if drawing else heat_of(found),
        "table": table_of(look, found),
        "currency": found.currency,
        "other_currencies": found.currencies[1:],
        "is_today_in_it": asked.last >= now.astimezone(ZoneInfo(asked.zone)).date(),
    }
