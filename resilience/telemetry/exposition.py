"""The totals as Prometheus reads them, by its own library: names, units, buckets that add up.

`gateway_call_s` is told as `holdfast_gateway_call_seconds`, which is how Prometheus wants units.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from resilience.telemetry.buckets import BOUNDS_S
from resilience.telemetry.declared import Kind, Metric, declared_metrics
from resilience.telemetry.totals import GAUGE_AGE_S_MAX, Row, Totals

PREFIX = "holdfast_"
_BOUNDS = [*map(floatToGoString, BOUNDS_S), "+Inf"]


def rendered(totals: Totals | None, *, age_s: float, own: Iterable[Family], accept: str) -> tuple[bytes, str]:
    """Return a body and its content type, as `accept` prefers it.

    `own` are facts of the process that answers; `age_s` is how old the totals are.
    """
    registry = CollectorRegistry()
    registry.register(_Given([*_families(totals, age_s=age_s), *own]))
    encode, content_type = exposition.choose_encoder(accept)
    return encode(registry), content_type


def told_as(metric: Metric) -> str:
    """Return the name under which Prometheus knows `metric`."""
    is_seconds = metric.unit == "seconds" and metric.name.endswith("_s")
    return PREFIX + (metric.name.removesuffix("_s") + "_seconds" if is_seconds else metric.name)


class _Given(Collector):
    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _families(totals: Totals | None, *, age_s: float) -> Iterator[Family]:
    if totals is None:
        return
    rows: dict[str, list[Row]] = {}
    for row in totals.rows:
        rows.setdefault(row.metric, []).append(row)
    for metric in declared_metrics():
        # What an older or newer release declared otherwise would be a series of its own kind: left out.
        fitting = [row for row in rows.get(metric.name, ()) if row.labels.keys() == set(metric.labels)]
        if metric.kind is Kind.GAUGE:
            fitting = [row for row in fitting if row.age_s + age_s <= GAUGE_AGE_S_MAX]
        yield _family(metric, fitting)


def _family(metric: Metric, rows: Sequence[Row]) -> Family:
    name = told_as(metric)
    match metric.kind:
        case Kind.COUNTER:
            counter = CounterMetricFamily(name, metric.help, labels=metric.labels)
            for row in rows:
                counter.add_metric(_values(metric, row), row.value)
            if not rows and not metric.labels:
                counter.add_metric([], 0)  # so that its first growth is a growth
            return counter
        case Kind.GAUGE:
            gauge = GaugeMetricFamily(name, metric.help, labels=metric.labels)
            for row in rows:
                gauge.add_metric(_values(metric, row), row.value)
            return gauge
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(name, metric.help, labels=metric.labels)
            for row in rows:
                up_to = accumulate(row.buckets or ())
                histogram.add_metric(_values(metric, row), list(zip(_BOUNDS, up_to, strict=False)), row.total)
            return histogram


def _values(metric: Metric, row: Row) -> list[str]:
    return [row.labels[label] for label in metric.labels]
