"""The W3C trace context: taken from the caller where it can be read, made where it cannot."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from resilience.telemetry import trace
from resilience.telemetry.otel import OpenTelemetry

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"01-{TRACE}-{SPAN}-01-what-comes-later", f"00-{TRACE}-{SPAN}-01"),
    ],
)
def test_a_callers_context_is_taken(header: str, expected: str) -> None:
    assert trace.received(header) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01\r\nX: y",
        f"00-{TRACE[1:]}-{SPAN}-01",
    ],
)
def test_what_cannot_be_read_is_not_taken(header: str) -> None:
    assert trace.received(header) == ""


def test_a_request_without_a_trace_begins_one() -> None:
    traceparents = {
        trace.tracing().begin("GET", kind="server", parent="", attributes={}).traceparent for _ in range(100)
    }

    assert len(traceparents) == 100
    assert all(trace.received(made) == made for made in traceparents)


@pytest.fixture
def told() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.tell(OpenTelemetry(provider))
    yield exporter
    trace.tell(None)


def test_spans_hang_together(told: InMemorySpanExporter) -> None:
    root = trace.tracing().begin("GET", kind="server", parent="", attributes={})
    with trace.carrying(root.traceparent), trace.spanning("gateway send", kind="client", gateway="g") as span:
        assert trace.current() == span.traceparent != root.traceparent
    root.end(name="GET /x", outcome="200")

    call, request = told.get_finished_spans()
    assert (call.name, request.name) == ("gateway send", "GET /x")
    assert call.context.trace_id == request.context.trace_id
    assert call.parent.span_id == request.context.span_id
    assert request.parent is None
    assert call.attributes == {"gateway": "g"}
    assert request.attributes == {"holdfast.outcome": "200"}


def test_what_raises_ends_its_span(told: InMemorySpanExporter) -> None:
    with pytest.raises(ZeroDivisionError), trace.spanning("gateway send", kind="client"):
        raise ZeroDivisionError

    (span,) = told.get_finished_spans()
    assert span.attributes == {"holdfast.outcome": "raised"}


def test_a_caller_that_wants_no_spans_gets_none(told: InMemorySpanExporter) -> None:
    trace.tracing().begin("GET", kind="server", parent=f"00-{TRACE}-{SPAN}-00", attributes={}).end()

    assert told.get_finished_spans() == ()


def test_without_opentelemetry_the_context_goes_through_unchanged() -> None:
    parent = f"00-{TRACE}-{SPAN}-01"
    with trace.carrying(parent):
        with trace.spanning("gateway send", kind="client") as span:
            assert trace.current() == span.traceparent == parent
        assert trace.current() == parent
    assert trace.current() == ""
