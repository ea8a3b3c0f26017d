"""`/metrics`, for Prometheus."""

import time
from collections.abc import Iterator
from math import inf
from secrets import compare_digest

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.core import Metric as Family

from resilience import pulse
from resilience.telemetry.exposition import PREFIX, rendered
from resilience.telemetry.totals import age_s, read_totals

_STARTED_AT = time.time()
_SERVERS = ("redis", "default", "replica")


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the fleet's totals, and with what this one process knows of itself.

    Open to all, or, where HOLDFAST_METRICS_TOKEN is set, to its bearer. Never waits long: while the database
    is away it tells what was read last, and how old that is.
    """
    if settings.METRICS_TOKEN and not _is_bearer(request):
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
    totals = read_totals()
    age = inf if totals is None else age_s(totals)
    body, content_type = rendered(totals, age_s=age, own=_own(age), accept=request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


def _is_bearer(request: HttpRequest) -> bool:
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and compare_digest(token.encode(), settings.METRICS_TOKEN.encode())


def _own(totals_age_s: float) -> Iterator[Family]:
    """Facts of the process that happens to answer: gauges only, since another may answer the next time."""
    yield GaugeMetricFamily(
        f"{PREFIX}totals_age_seconds", "How old the counters and histograms here are.", value=totals_age_s
    )
    yield GaugeMetricFamily(
        f"{PREFIX}fleet_processes",
        "Processes that live, as the answering one knows.",
        value=pulse.fleet_size(),
    )
    yield GaugeMetricFamily(
        f"{PREFIX}answering_process_start_time_seconds",
        "When the answering process started, in seconds since 1970.",
        value=_STARTED_AT,
    )
    ages = GaugeMetricFamily(
        f"{PREFIX}pulse_age_seconds",
        "How long ago each server last answered the answering process.",
        labels=["server"],
    )
    for server in _SERVERS:
        age = pulse.age_s(server)
        ages.add_metric([server], inf if age is None else age)
    yield ages
