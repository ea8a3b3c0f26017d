"""The touch: what everybody calls, some hundred times an order, in a microsecond or less."""

import logging

from django.apps import apps
from django.conf import settings

from resilience.telemetry.declared import UndeclaredMetricError
from resilience.telemetry.memory import Counter, Gauge, Histogram, S, Shelf, counters, gauges, histograms

logger = logging.getLogger(__name__)

_counters = counters.called
_gauges = gauges.called
_histograms = histograms.called
_told: set[str] = set()


def counter(name: str, /, **labels: object) -> Counter:
    """Return the counter `name` with these labels: `counter("orders_placed_total").add(1)`.

    Raises UndeclaredMetricError unless it was declared so; in production that is logged once instead.
    """
    called = (name, *labels.items())
    return _counters.get(called) or _find(counters, called, name, labels)


def gauge(name: str, /, **labels: object) -> Gauge:
    """Return the gauge `name` with these labels: `gauge("saga_oldest_due_s").set(1.5)`.

    Raises as `counter`.
    """
    called = (name, *labels.items())
    return _gauges.get(called) or _find(gauges, called, name, labels)


def histogram(name: str, /, **labels: object) -> Histogram:
    """Return the histogram `name` with these labels: `histogram("http_request_s", …).observe(0.02)`.

    Raises as `counter`.
    """
    called = (name, *labels.items())
    return _histograms.get(called) or _find(histograms, called, name, labels)


def _find(shelf: Shelf[S], called: tuple[object, ...], name: str, labels: dict[str, object]) -> S:
    if not apps.ready:
        # A tool that is used without Django: nothing is declared, and nothing would be handed on.
        return shelf.make()
    try:
        return shelf.find(called, name, labels)
    except UndeclaredMetricError as error:
        # An order must not fail over a metric.
        if not settings.PRODUCTION:
            raise
        if name not in _told:
            _told.add(name)
            logger.error("A metric is used otherwise than it is declared.", extra={"error": str(error)})
        return shelf.make()
