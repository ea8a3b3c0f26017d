"""`/livez`, `/readyz` and `/healthz`, in the format of draft-inadarei-api-health-check-06 (health+json)."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from resilience import pulse
from resilience.health.backlogs import backlogs
from resilience.health.check import Status
from resilience.health.report import Report, as_document, runner

_CONTENT_TYPE = "application/health+json"
# Only the first probe of a young process can wait at all; a load balancer gives up after about 2 s.
_FIRST_CHECK_WAIT_S = 1.0
_STANDS_STILL = "The background look at the parts stands still in this process."


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer: that is all that is to be shown. A dependency that is down is no reason to restart."""
    return _answer({"status": "pass"}, Status.PASS)


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while this process should get traffic, else 503; from the last look, whatever hangs."""
    report = _last_report()
    if report is None:
        return _answer({"status": "fail", "output": _STANDS_STILL}, Status.FAIL)
    hard = {name: entries for name, entries in as_document(report)["checks"].items() if entries[0]["hard"]}
    return _answer({"status": report.readiness.value, "checks": hard}, report.readiness)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer with every check, and with what is reduced now and what that means for orders."""
    backlogs.is_wanted = True
    report = _last_report()
    if report is None:
        return _answer({"status": "fail", "output": _STANDS_STILL}, Status.FAIL)
    return _answer(as_document(report), report.status)


def _last_report() -> Report | None:
    if pulse.age_s("default") is None:
        # The first question of a young process: the primary is tried once before it is judged.
        pulse.wait_for_turn("default", limit_s=_FIRST_CHECK_WAIT_S)
        runner.run_once()
    return runner.last()


def _answer(document: dict[str, Any], status: Status) -> HttpResponse:
    code = 503 if status is Status.FAIL else 200
    return JsonResponse(document, status=code, content_type=_CONTENT_TYPE)
