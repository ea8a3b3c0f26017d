"""A server that answers byte for byte what a test says, so that every way to fail can be staged."""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

Reply = bytes | Callable[[socket.socket], None]

# A test that hangs fails by its own limits; this only ends the threads of a server left open.
_PATIENCE_S = 10


def answer(body: object, *, status: int = 200, headers: str = "") -> bytes:
    """Return a whole answer. Bytes go as they are, a str as UTF-8, anything else as JSON."""
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    content = text if isinstance(text, bytes) else text.encode()
    framing = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return f"HTTP/1.1 {status} Whatever\r\n{framing}{headers}\r\n".encode() + content


def chunked(body: object) -> bytes:
    """Return a whole 200 whose length is not told beforehand."""
    content = json.dumps(body).encode()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)


def hang_up(connection: socket.socket) -> None:
    """Close without an answer."""
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket) -> None:
    """Close with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def say_nothing(_connection: socket.socket) -> None:
    """Leave the client waiting."""


def drip(connection: socket.socket) -> None:
    """Send a byte every now and then: each one comes in time, all of them together do not."""
    with suppress(OSError):
        while True:
            connection.sendall(b"H")
            threading.Event().wait(0.05)


def then_hang_up(reply: bytes) -> Callable[[socket.socket], None]:
    """Answer as if the connection stayed open, and close it."""

    def answer_and_close(connection: socket.socket) -> None:
        connection.sendall(reply)
        hang_up(connection)

    return answer_and_close


class ScriptedGateway:
    """Gives `replies` in turn, one for each request, the last one for ever.

    `requests` are the requests as they came, `connections` how many were opened, and `hung_up` is set
    once the server has closed one.
    """

    def __init__(self, replies: Iterable[Reply], *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.hung_up = threading.Event()
        self._replies = list(replies)
        self._tls = tls
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            connection.settimeout(_PATIENCE_S)
            while request := _read_request(connection):
                with self._lock:
                    self.requests.append(request)
                    reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
                if callable(reply):
                    reply(connection)
                else:
                    connection.sendall(reply)
        self.hung_up.set()


def _read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := connection.recv(65536)):
            return b""
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")]
    length = int(lengths[0]) if lengths else 0
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
