"""`/livez` and `/readyz`, in the format of draft-inadarei-api-health-check-06 (health+json)."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from resilience.routing import primary_state

_CONTENT_TYPE = "application/health+json"
# Only the first probe of a young process can wait at all; a load balancer gives up after about 2 s.
_FIRST_CHECK_WAIT_S = 1.0


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer: that is all that is to be shown. A dependency that is down is no reason to restart."""
    return JsonResponse({"status": "pass"}, content_type=_CONTENT_TYPE)


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the primary answers this process, else 503; from the watcher's memory."""
    status = "fail" if primary_state(wait_s=_FIRST_CHECK_WAIT_S) is None else "pass"
    primary = {"componentType": "datastore", "status": status}
    if status == "fail":
        primary["output"] = "The primary database has not answered lately."
    return JsonResponse(
        {"status": status, "checks": {"primary:connection": [primary]}},
        status=200 if status == "pass" else 503,
        content_type=_CONTENT_TYPE,
    )
