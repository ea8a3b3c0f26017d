"""One request's way through the processes: a W3C trace context, and the ids that each log line carries.

The danger: an order is touched by five processes, and each logs under a number of its own. So a trace id is
taken from the caller's `traceparent` or made, bound to every log line, stored with the saga, and sent on to
the gateway. That needs no OpenTelemetry; where it is configured (telemetry/otel.py) spans are told as well.
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from structlog.contextvars import bound_contextvars

HEADER = "traceparent"
# https://www.w3.org/TR/trace-context/: of a later version what the first one had is read.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)

_current: ContextVar[str] = ContextVar("traceparent", default="")


class Span(Protocol):
    """A stretch of work that has begun. `traceparent` is what its own parts have as their parent."""

    traceparent: str

    def end(self, *, name: str = "", outcome: str = "", at_ns: int | None = None) -> None:
        """Say that it is over, how it ended, and what it turned out to be."""


class Tracing(Protocol):
    """Who is told of spans."""

    is_on: bool

    def begin(
        self,
        name: str,
        *,
        kind: str,
        parent: str,
        attributes: Mapping[str, str | int],
        at_ns: int | None = None,
    ) -> Span:
        """Begin a span: `kind` is "server", "client" or "internal". Without a parent it begins a trace."""


class _NoSpan:
    """What is told to nobody: whoever comes after has the same parent."""

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def end(self, *, name: str = "", outcome: str = "", at_ns: int | None = None) -> None:
        """Tell nobody."""


class _NoTracing:
    is_on = False

    def begin(
        self,
        name: str,
        *,
        kind: str,
        parent: str,
        attributes: Mapping[str, str | int],
        at_ns: int | None = None,
    ) -> Span:
        return _NoSpan(parent or _new())


def _new() -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


_tracing: Tracing = _NoTracing()


def tracing() -> Tracing:
    """Return who is told of spans in this process; nobody, unless it was configured."""
    return _tracing


def tell(tracing: Tracing | None) -> None:
    """Let `tracing` be told of spans from now on; None: nobody."""
    global _tracing
    _tracing = tracing or _NoTracing()


def current() -> str:
    """Return the `traceparent` of what runs now; "" when nothing was begun."""
    return _current.get()


def id_of(traceparent: str) -> str:
    """Return the trace id in `traceparent`."""
    return traceparent[3:35]


def received(header: str) -> str:
    """Return the caller's `traceparent`; "" if it sent none that can be read."""
    found = _TRACEPARENT.fullmatch(header)
    return f"00-{found[1]}-{found[2]}-{found[3]}" if found else ""


@contextmanager
def carrying(traceparent: str, **ids: str) -> Iterator[None]:
    """Let whatever is logged or sent in this block carry the trace and `ids`."""
    token = _current.set(traceparent)
    try:
        with bound_contextvars(**{**ids, "trace_id": id_of(traceparent)} if traceparent else ids):
            yield
    finally:
        _current.reset(token)


@contextmanager
def spanning(name: str, *, kind: str, **attributes: str | int) -> Iterator[Span]:
    """Make this block a span below the current one; `with spanning("…", kind="client") as span`."""
    span = _tracing.begin(name, kind=kind, parent=_current.get(), attributes=attributes)
    token = _current.set(span.traceparent)
    outcome = "raised"
    try:
        yield span
        outcome = ""
    finally:
        _current.reset(token)
        span.end(outcome=outcome)
