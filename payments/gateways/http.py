"""A thin HTTP client under the `stripe` SDK: keep-alive, thread-safe, and honest about what was sent.

The danger: a client that retries by itself, or that calls every failure "connection error". Here one
call is one request, never repeated, and it fails in exactly two ways: not a byte of the request can
have left (NotReachedError), or some may have (NoAnswerError).

Thin because Python's CPU is what an order costs most: a third of `requests` (docs/gateways.md).
"""

import http.client
import io
import os
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast
from urllib.parse import urlsplit

import stripe

from resilience.deadlines import remaining_s
from resilience.telemetry import trace

# One for each thread of the largest worker; more are served too, but not kept.
IDLE_CONNECTIONS_MAX = 64
# Load balancers forget idle connections, mostly after 60 s. Twice this, and more requests end in doubt
# on a connection that was dead; half of it, and a quiet worker shakes hands for nearly every call.
IDLE_S_MAX = 30.0
# A page of 100 refunds has 200 kB. This keeps a broken gateway from filling our memory.
ANSWER_BYTES_MAX = 4 * 1024 * 1024
# Sent with less than this left of the deadline, a request would hardly be heard the answer of: a doubt.
TOO_LATE_S = 0.1


class NotReachedError(stripe.APIConnectionError):
    """No connection came about, so that not a byte of the request has left."""


class HeldBackError(NotReachedError):
    """No connection was even tried; none should be before `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLateError(NotReachedError):
    """Whoever asks has no time left to hear the answer: nothing was sent, and the gateway is not to blame."""


class NoAnswerError(stripe.APIConnectionError):
    """The request may have arrived, and no complete answer came back."""


class ThinClient(stripe.HTTPClient):
    """Sends requests to `origin` (scheme, host, port) and to nowhere else.

    `connect_timeout_s` bounds a connection with its TLS handshake, `read_timeout_s` a request from its
    first byte to the last one of the answer, so that a dripping gateway cannot hold a worker.
    Both end with the deadline of whoever asks (resilience/deadlines), and once it is over nothing is sent.
    (What is not bounded: the system's resolver. Proxies are not used.)
    """

    name = "holdfast"

    def __init__(
        self,
        *,
        origin: str,
        connect_timeout_s: float,
        read_timeout_s: float,
        ca_file: str = stripe.ca_bundle_path,
    ) -> None:
        super().__init__()
        parts = urlsplit(origin)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.netloc != origin.partition("://")[2]
        ):
            raise ValueError("a gateway's url is http(s)://host[:port], without a path")
        self._origin = origin
        self._host = parts.hostname
        self._netloc = parts.netloc
        self._is_tls = parts.scheme == "https"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        # The SDK's own list of authorities by default: a bare machine may have none.
        self._trust = ssl.create_default_context(cafile=ca_file) if self._is_tls else None
        self._idle: deque[_Idle] = deque()
        self._pid = os.getpid()

    def request_with_retries(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,
        max_network_retries: int | None = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Send once, whatever was configured: only a saga may decide to send again."""
        return self.request(method, url, headers, post_data)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Return body, status and headers (case-insensitive). Raises NotReachedError, NoAnswerError."""
        message = self._message(method.upper(), url, headers or {}, post_data or "")
        sock = self._idle_socket() or self._connected()
        is_reusable = False
        try:
            read_timeout_s = _in_time_s(self._read_timeout_s)
            deadline = time.monotonic() + read_timeout_s
            sock.settimeout(read_timeout_s)
            sock.sendall(message)
            answer = http.client.HTTPResponse(_Answering(sock, deadline), method=method.upper())  # type: ignore[arg-type]
            answer.begin()
            body = _body_of(answer)
            is_reusable = answer.status >= http.client.OK and not answer.will_close
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(_reason(error)) from error
        finally:
            if is_reusable:
                self._keep(sock)
            else:
                sock.close()
        return body, answer.status, cast(Mapping[str, str], answer.headers)

    def close(self) -> None:
        """Close the idle connections."""
        for idle in iter(self._pop, None):
            idle.sock.close()

    def _message(self, method: str, url: str, headers: Mapping[str, str], body: str) -> bytes:
        """Return the whole request: one packet, where http.client sends two."""
        path = url.removeprefix(self._origin)
        if path == url or not path.startswith("/"):
            # The secret key is in the headers.
            raise ValueError("a request may only go to the gateway's own origin")
        content = body.encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._netloc}", "Accept-Encoding: identity"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if traceparent := trace.current():
            lines.append(f"{trace.HEADER}: {traceparent}")
        if method == "POST":
            lines.append(f"Content-Length: {len(content)}")
        head = "\r\n".join(lines)
        if head.count("\r") + head.count("\n") != 2 * (len(lines) - 1):
            raise ValueError("a line break in a header would begin another one")
        return head.encode("latin-1") + b"\r\n\r\n" + content

    def _idle_socket(self) -> socket.socket | None:
        """Return the connection used last that is still open, so that the others grow old and are dropped."""
        if self._pid != os.getpid():
            # A fork shares the parent's sockets, and two processes must not talk on one.
            self.close()
            self._pid = os.getpid()
        for idle in iter(self._pop, None):
            if time.monotonic() - idle.since <= IDLE_S_MAX and not _is_readable(idle.sock):
                return idle.sock
            idle.sock.close()
        return None

    def _pop(self) -> "_Idle | None":
        # Without a lock: a fork could copy one while it is held. A deque's own methods are atomic.
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _keep(self, sock: socket.socket) -> None:
        if len(self._idle) < IDLE_CONNECTIONS_MAX:
            self._idle.append(_Idle(sock=sock, since=time.monotonic()))
        else:
            sock.close()

    def _connected(self) -> socket.socket:
        deadline = time.monotonic() + _in_time_s(self._connect_timeout_s)
        try:
            addresses = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            sock = _first_open(addresses, deadline)
            return _secured(sock, self._trust, self._host, deadline) if self._trust else sock
        except (OSError, UnicodeError) as error:
            raise NotReachedError(_reason(error)) from error


def _in_time_s(limit_s: float) -> float:
    """Return the limit of a wait that ends with the deadline. Raises TooLateError: nothing was sent."""
    left_s = remaining_s()
    if left_s is not None and left_s < TOO_LATE_S:
        raise TooLateError("the deadline does not leave the time for an answer")
    return limit_s if left_s is None else min(limit_s, left_s)


@dataclass(frozen=True, slots=True)
class _Idle:
    sock: socket.socket
    since: float


class _Answering(io.RawIOBase):
    """The reading end of a socket with a deadline; what `HTTPResponse` takes for a socket."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self, 64 * 1024)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_remaining_s(self._deadline))
        return self._sock.recv_into(buffer)


def _first_open(addresses: list[Any], deadline: float) -> socket.socket:
    """Connect to the first address that takes us; all of them share the time until `deadline`."""
    failure: OSError = OSError("the name has no address")
    for family, kind, protocol, _canonical_name, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_remaining_s(deadline))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _secured(sock: socket.socket, trust: ssl.SSLContext, host: str, deadline: float) -> socket.socket:
    try:
        sock.settimeout(_remaining_s(deadline))
        return trust.wrap_socket(sock, server_hostname=host)
    except BaseException:
        sock.close()
        raise


def _body_of(answer: http.client.HTTPResponse) -> str:
    """Read to the end. Raises HTTPException for an answer that is cut short, too long, or not text."""
    if answer.length is None:  # chunked, or until the connection ends
        content = answer.read(ANSWER_BYTES_MAX + 1)
    elif answer.length <= ANSWER_BYTES_MAX:
        content = answer.read()
    else:
        _refuse("the answer is too long")
    if len(content) > ANSWER_BYTES_MAX:
        _refuse("the answer is too long")
    try:
        return content.decode()
    except UnicodeDecodeError:
        _refuse("the answer is not text")


def _refuse(reason: str) -> NoReturn:
    raise http.client.HTTPException(reason)


def _is_readable(sock: socket.socket) -> bool:
    """Tell whether an idle connection is of no use: it has ended, or says something nobody asked for."""
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


def _remaining_s(deadline: float) -> float:
    remaining_s = deadline - time.monotonic()
    if remaining_s <= 0:
        raise TimeoutError("timed out")
    return remaining_s


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]
