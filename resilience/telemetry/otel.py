"""Spans for OpenTelemetry: an optional extra (requirements-otel.txt), and the only module that knows it.

Configured by OpenTelemetry's own variables, as in `OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318`.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any

from resilience.telemetry import trace

logger = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def configure() -> None:
    """Tell spans to the collector that the environment names; to nobody where it names none."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        logger.warning(
            "OpenTelemetry is configured, but not installed; no span is told.",
            extra={"error": str(error), "remedy": "pip install -r requirements-otel.txt"},
        )
        return
    provider = TracerProvider(
        resource=Resource.create({"service.name": "holdfast", "process.pid": os.getpid()})
    )
    # In the background, and dropping what a collector that is away does not take: no order waits for it.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.tell(OpenTelemetry(provider))


class OpenTelemetry:
    """Tells spans to `provider` (an SDK's TracerProvider)."""

    is_on = True

    def __init__(self, provider: Any) -> None:
        self._tracer = provider.get_tracer("holdfast")

    def begin(
        self,
        name: str,
        *,
        kind: str,
        parent: str,
        attributes: Mapping[str, str | int],
        at_ns: int | None = None,
    ) -> "OpenSpan":
        """Begin a span below `parent`."""
        from opentelemetry.trace import SpanKind

        span = self._tracer.start_span(
            name,
            context=_context(parent),
            kind=SpanKind[kind.upper()],
            attributes=dict(attributes),
            start_time=at_ns,
        )
        return OpenSpan(span)


class OpenSpan:
    """A span of the SDK."""

    def __init__(self, span: Any) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def end(self, *, name: str = "", outcome: str = "", at_ns: int | None = None) -> None:
        """End it."""
        if name:
            self._span.update_name(name)
        if outcome:
            self._span.set_attribute("holdfast.outcome", outcome)
        self._span.end(end_time=at_ns)


def _context(parent: str) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({trace.HEADER: parent}, context=Context())
