"""What the thread that accepts answers by itself: `/livez`, and whoever is turned away.

The danger: an answer of a few bytes that goes through a thread waits for that thread, and then for the
interpreter, which busy threads give up every few milliseconds only: three times the load made 6 ms of it.
So these two are made from the bytes that have come, if they are one whole and plain request; any other is
served in its lane, with the same answer.
"""

import re
import time
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import unquote_to_bytes

from config.admission import Verdict, refusal_of
from config.request_ids import request_id_of
from resilience.telemetry import histogram

# Stricter than the parser, which stays the judge of everything that does not look like this.
_PLAIN = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE) (/[!-~]*) HTTP/1\.1\r\n((?:[0-9A-Za-z_-]+:[\t -\xff]*\r\n)+)\r\n"
)
_HEADER = re.compile(rb"([0-9A-Za-z_-]+):[ \t]*([^\r]*?)[ \t]*\r\n")
# Whoever sends one of these wants more than one answer, or says in another way where its body ends.
_NOT_PLAIN = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"http2-settings"})
_LIVEZ_BODY = b'{"status": "pass"}'
_LIVEZ_HEADERS = (
    ("Content-Type", "application/health+json"),
    ("Cache-Control", "max-age=0, no-cache, no-store, must-revalidate, private"),
    ("X-Content-Type-Options", "nosniff"),
)


@dataclass(frozen=True)
class Plain:
    """A request that has come as a whole. `length` is that of head and body, in bytes; `path` as sent."""

    method: bytes
    path: bytes
    length: int
    request_id: str
    closes: bool


@dataclass(frozen=True)
class BriefAnswer:
    """An answer to the first `length` bytes that have come, after which the connection ends if `closes`."""

    length: int
    sent: bytes
    closes: bool


def brief_answer(seen: bytes, verdict: Verdict) -> BriefAnswer | None:
    """Return the answer to the request that `seen` begins with; None: it has to be served."""
    began_at = time.perf_counter()
    is_probe = seen.startswith((b"GET /livez ", b"HEAD /livez "))
    if verdict.shed is None and not is_probe:
        return None
    request = plain_request(seen)
    if request is None:
        return None
    if verdict.shed is not None:
        path = unquote_to_bytes(request.path.partition(b"?")[0]).decode("utf-8", "replace")
        headers, body = refusal_of(verdict.shed, path=path)
        answer = _answer(request, "503 Service Unavailable", headers, body)
    else:
        answer = _answer(request, "200 OK", _LIVEZ_HEADERS, _LIVEZ_BODY)
        took_s = time.perf_counter() - began_at
        histogram("http_request_s", method=request.method.decode(), route="/livez", status="2xx").observe(
            took_s
        )
    return answer


def plain_request(seen: bytes) -> Plain | None:
    """Return the request that `seen` begins with; None when it is not whole, or not plain."""
    head = _PLAIN.match(seen)
    if head is None:
        return None
    headers = [(name.lower(), value) for name, value in _HEADER.findall(head[3])]
    named = dict(headers)
    if len(named) < len(headers) or not _NOT_PLAIN.isdisjoint(named):
        return None
    announced = named.get(b"content-length", b"0")
    connection = named.get(b"connection", b"keep-alive").lower()
    if not (announced.isdigit() and len(announced) <= 6) or connection not in (b"keep-alive", b"close"):
        return None
    length = head.end() + int(announced)
    if length > len(seen):
        return None
    return Plain(
        method=head[1],
        path=head[2],
        length=length,
        request_id=request_id_of(named.get(b"x-request-id", b"").decode("latin-1")),
        closes=connection == b"close",
    )


def _answer(request: Plain, status: str, headers: tuple[tuple[str, str], ...], body: bytes) -> BriefAnswer:
    lines = [
        f"HTTP/1.1 {status}",
        f"Date: {formatdate(usegmt=True)}",
        f"Connection: {'close' if request.closes else 'keep-alive'}",
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {request.request_id}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return BriefAnswer(request.length, head if request.method == b"HEAD" else head + body, request.closes)
