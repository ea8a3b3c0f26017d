"""How many requests were answered how, and how long that took."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from resilience import pulse
from resilience.telemetry.touch import histogram

# Anybody may send any word as a method.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNKNOWN = "other"


class RequestMetricsMiddleware:
    """Observe each request under its route's template, never its path: a path holds ids."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # A server that forks after it has loaded us has no pulse in its children until somebody asks.
        pulse.ensure_running()
        begun_at = time.perf_counter()
        response = self._get_response(request)
        method = request.method or ""
        histogram(
            "http_request_s",
            method=method if method in _METHODS else _UNKNOWN,
            route=_route(request),
            status=f"{response.status_code // 100}xx",
        ).observe(time.perf_counter() - begun_at)
        return response


def _route(request: HttpRequest) -> str:
    """Return the template of the route, as in "/api/v1/orders/<uuid:order_id>"."""
    match = request.resolver_match
    return "/" + match.route if match is not None else _UNKNOWN
