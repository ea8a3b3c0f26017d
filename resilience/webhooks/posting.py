"""One POST to an address that was checked: bounded in time and bytes, with the name's certificate."""

import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpcore

from resilience.webhooks.targets import Target
from resilience.webhooks.verdicts import Reply

# From the connection to the last byte. Halved, slow receivers fail; doubled, they hold a thread as long.
TIMEOUT_S = 10.0
_REPLY_BYTES_MAX = 16 * 1024
EXCERPT_CHARS = 1024
_RETRY_AFTER_DIGITS_MAX = 9


def post(
    target: Target, addresses: Sequence[str], *, headers: dict[str, str], body: bytes, tls: ssl.SSLContext
) -> Reply:
    """Post `body` to the first of `addresses` that takes a connection; never raises, follows nothing."""
    began_at = time.monotonic()
    backend = _Bounded(addresses, until=began_at + TIMEOUT_S)
    try:
        with httpcore.ConnectionPool(ssl_context=tls, network_backend=backend, retries=0) as pool:
            reply = _exchange(pool, target, headers=headers, body=body)
    except (httpcore.TimeoutException, TimeoutError):
        reply = Reply(None, error=f"no whole answer within {TIMEOUT_S:.0f} s")
    except (
        httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError, ValueError
    ) as error:  # fmt: skip
        reply = Reply(None, error=f"{type(error).__name__}: {error}"[:EXCERPT_CHARS])
    return _timed(reply, time.monotonic() - began_at)


def _exchange(
    pool: httpcore.ConnectionPool, target: Target, *, headers: dict[str, str], body: bytes
) -> Reply:
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)
    with pool.stream(
        "POST", target.url, headers=list(headers.items()), content=body, extensions={"timeout": timeouts}
    ) as response:
        text = b""
        for chunk in response.iter_stream():
            text += chunk
        answered = {name.lower(): value for name, value in response.headers}
        retry_after = answered.get(b"retry-after", b"")
        is_number = retry_after.isdigit() and len(retry_after) <= _RETRY_AFTER_DIGITS_MAX
        return Reply(
            response.status,
            body=text.decode("utf-8", "replace").replace("\0", "")[:EXCERPT_CHARS],
            retry_after_s=int(retry_after) if is_number else None,
        )


def _timed(reply: Reply, took_s: float) -> Reply:
    return Reply(reply.status, reply.error, reply.body, reply.retry_after_s, took_s)


class _TooLargeError(httpcore.ReadError):
    """The answer is larger than anybody needs."""


@dataclass
class _Bounded(httpcore.NetworkBackend):
    """Connects to `addresses` only, whatever the name would resolve to now, until a moment (monotonic)."""

    addresses: Sequence[str]
    until: float
    _backend: httpcore.NetworkBackend = field(default_factory=httpcore.SyncBackend)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that takes it."""
        for others, address in zip(reversed(range(len(self.addresses))), self.addresses, strict=True):
            try:
                # One that does not answer at all leaves the others as much time as it took.
                timeout_s = _left_s(self.until) / (others + 1)
                stream = self._backend.connect_tcp(address, port, timeout=timeout_s)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if others == 0:
                    raise
            else:
                return _BoundedStream(stream, until=self.until)
        raise httpcore.ConnectError("no address")


class _BoundedStream(httpcore.NetworkStream):
    """A stream that ends at a moment, and after so many bytes: a byte a second would hold it for ever."""

    def __init__(self, stream: httpcore.NetworkStream, *, until: float) -> None:
        self._stream = stream
        self._until = until
        self._bytes_left = _REPLY_BYTES_MAX

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what comes, within the bounds; raises ReadTimeout or ReadError beyond them."""
        got = self._stream.read(max_bytes, timeout=_left_s(self._until))
        self._bytes_left -= len(got)
        if self._bytes_left < 0:
            raise _TooLargeError(f"the answer is larger than {_REPLY_BYTES_MAX} bytes")
        return got

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it, until the moment."""
        self._stream.write(buffer, timeout=_left_s(self._until))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Shake hands for the name, not for the address."""
        secured = self._stream.start_tls(ssl_context, server_hostname, timeout=_left_s(self._until))
        return _BoundedStream(secured, until=self._until)

    def get_extra_info(self, info: str) -> Any:
        """Return what the stream knows of itself."""
        return self._stream.get_extra_info(info)


def _left_s(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time is over")
    return left
