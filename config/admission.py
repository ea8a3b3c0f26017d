"""The door: what is turned away under overload is answered here, before Django, a session or a connection.

The danger: a refusal that costs a tenth of the work makes refusing pointless at three times the load.
So the tier of a request is read from its method and path alone, and the answer is made without a view.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from config.bodies import Application
from config.problems import CONTENT_TYPE, Problem
from config.request_ids import request_id_of
from resilience.limits.process import shedder
from resilience.limits.shedder import Shed
from resilience.limits.shedding import Cause, Tier
from resilience.rest.rendering import to_json

_WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ID = "[^/]+"
# The first that matches counts. A new address without a line of its own is a LIST when it is read, and
# CHECKOUT when it changes something: shed neither first nor last.
_RULES: tuple[tuple[bool | None, str, Tier], ...] = (
    (True, rf"/api/v1/payments/{_ID}/refunds", Tier.MONEY),
    (True, rf"/api/v1/orders/{_ID}/cancel", Tier.MONEY),
    (True, rf"/webhooks/{_ID}", Tier.MONEY),
    (True, rf"/api/v1/reconciliation/exceptions/{_ID}/resolve", Tier.MONEY),
    (None, r"/admin/.*export.*", Tier.REPORT),
    (False, r"/admin/business/.*", Tier.REPORT),
    # Operators look at what is wrong, and that is when it is.
    (True, r"/admin/.*", Tier.CHECKOUT),
    (False, r"/admin/.*", Tier.READ),
    (False, r"/static/.*", Tier.READ),
    (True, r".*", Tier.CHECKOUT),
    (False, rf"/api/v1/orders/{_ID}(?:/timeline)?", Tier.READ),
    (False, rf"/api/v1/products/{_ID}", Tier.READ),
    (False, rf"/api/v1/payments/{_ID}(?:/(?:refunds(?:/{_ID})?|ledger))?", Tier.READ),
    (False, r"/api/v1/(?:reports|ledger|reconciliation)(?:/.*)?", Tier.REPORT),
    (False, r"/(?:api/docs|api/v1/(?:schema|asyncapi))?", Tier.REPORT),
)
_TIERS = tuple((writes, re.compile(pattern), tier) for writes, pattern, tier in _RULES)
# Whoever asks whether this process lives must not hear that it is busy: it would be restarted for it.
_PROBES = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})
# Proxies write it: "t=" and seconds, or milliseconds or microseconds, since 1970.
_REQUEST_START = re.compile(r"\s*(?:t=)?(\d{9,17}(?:\.\d+)?)\s*")
# A clock that is further off than this is wrong, not late.
_WAIT_S_BELIEVED = 60.0
_WHY = {
    Cause.QUEUE: "More is asked than can be done now. Send the same request again later.",
    Cause.BACKLOG: "What was accepted before has to be done first. Send the same request again later.",
}


@dataclass(frozen=True)
class Verdict:
    """What was said of a request when it came; `shed` None: it is let in."""

    shed: Shed | None


class _Desk(threading.local):
    verdict: Verdict | None = None


_desk = _Desk()


def tier_of(method: str, path: str) -> Tier | None:
    """Return the tier of a request; None for the probes, which are never turned away."""
    if path in _PROBES:
        return None
    writes = method in _WRITING
    for of_writing, pattern, tier in _TIERS:
        if (of_writing is None or of_writing is writes) and pattern.fullmatch(path):
            return tier
    return Tier.LIST


def waited_s(request_start: str, *, now: float) -> float:
    """Return how long ago (seconds) a proxy took the request in, by X-Request-Start; 0: it does not tell."""
    found = _REQUEST_START.fullmatch(request_start)
    if found is None:
        return 0.0
    started = float(found[1])
    while started > 1e11:  # milliseconds or microseconds
        started /= 1000
    waited = now - started
    return waited if 0 < waited < _WAIT_S_BELIEVED else 0.0


def judge(method: str, path: str, *, request_start: str = "") -> Verdict:
    """Return the verdict on a request that comes now."""
    tier = tier_of(method, path)
    if tier is None:
        return Verdict(None)
    at_proxy_s = (
        waited_s(request_start, now=time.time()) if request_start and settings.TRUST_REQUEST_START else 0.0
    )
    return Verdict(shedder.judge(tier, waited_s=at_proxy_s))


def hand_over(verdict: Verdict | None) -> None:
    """Let the next request that this thread serves have `verdict`; None: it is judged when it is served."""
    _desk.verdict = verdict


def refusal_of(shed: Shed, *, path: str) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Return headers and body of the 503 that a request to `path` is turned away with."""
    problem = Problem(503, "overloaded", _WHY[shed.cause])
    headers = (
        ("Content-Type", CONTENT_TYPE),
        ("Retry-After", str(shed.retry_after_s)),
        ("Cache-Control", "no-store"),
    )
    return headers, to_json(problem.document(instance=path)).encode()


def turn_away(application: Application) -> Application:
    """Wrap a WSGI application so that it meets only the requests that are let in."""

    def admitted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        verdict, _desk.verdict = _desk.verdict, None
        if verdict is None:
            verdict = judge(
                environ["REQUEST_METHOD"],
                environ.get("PATH_INFO", ""),
                request_start=environ.get("HTTP_X_REQUEST_START", ""),
            )
        if verdict.shed is None:
            return application(environ, start_response)
        return _refuse(verdict.shed, environ, start_response)

    return admitted


def _refuse(shed: Shed, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    headers, body = refusal_of(shed, path=path)
    request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID", ""))
    start_response(
        "503 Service Unavailable",
        [*headers, ("Content-Length", str(len(body))), ("X-Request-Id", request_id)],
    )
    return [body]
