"""The W3C trace context: taken from the caller where it can be read, made where it cannot."""

import pytest

from resilience.telemetry import trace

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
def test_what_cannot_be_read_is_replaced(header: str) -> None:
    made = trace.received(header)

    assert made != header
    assert trace.received(made) == made
    assert trace.received("") != made


def test_without_opentelemetry_the_context_goes_through_unchanged() -> None:
    parent = f"00-{TRACE}-{SPAN}-01"
    with trace.carrying(parent):
        with trace.spanning("gateway send", kind="client") as span:
            assert trace.current() == span.traceparent == parent
        assert trace.current() == parent
    assert trace.current() == ""
