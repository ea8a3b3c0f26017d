"""How many requests were answered how, and how long that took; and the ids that their log lines carry."""

import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars, unbind_contextvars

from resilience import pulse
from resilience.telemetry import trace
from resilience.telemetry.touch import histogram

# Anybody may send any word as a method.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNKNOWN = "other"
# What a route may name, and log lines then carry.
SUBJECTS = ("order_id", "payment_id")


class TelemetryMiddleware:
    """Observe each request under its route's template, never its path: a path holds ids.

    Stands behind what gives a request its id.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # A server that forks after it has loaded us has no pulse in its children until somebody asks.
        pulse.ensure_running()
        begun_at = time.perf_counter()
        method = request.method if request.method in _METHODS else _UNKNOWN
        parent = trace.received(request.META.get("HTTP_TRACEPARENT", ""))
        span = trace.tracing().begin(method, kind="server", parent=parent, attributes={})
        with trace.carrying(span.traceparent, request_id=request.META.get("HTTP_X_REQUEST_ID", "")):
            try:
                response = self._get_response(request)
            finally:
                unbind_contextvars(*SUBJECTS)
        route = _route(request)
        span.end(name=f"{method} {route}", outcome=str(response.status_code))
        histogram(
            "http_request_s", method=method, route=route, status=f"{response.status_code // 100}xx"
        ).observe(time.perf_counter() - begun_at)
        return response

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponse],
        arguments: object,
        named: dict[str, Any],
    ) -> None:
        """Let log lines carry whatever the address is about."""
        bind_contextvars(**{subject: str(named[subject]) for subject in SUBJECTS if subject in named})


def _route(request: HttpRequest) -> str:
    """Return the template of the route, as in "/api/v1/orders/<uuid:order_id>"."""
    match = request.resolver_match
    return "/" + match.route if match is not None else _UNKNOWN
