"""What our gunicorn worker takes for the request that a connection has come with."""

import socket
from io import BytesIO
from types import SimpleNamespace

import pytest

from config.gunicorn_worker import Worker

ORDER = b"POST /api/v1/orders HTTP/1.1\r\n"


def connection(sock: socket.socket, *, read_ahead: bytes = b"") -> SimpleNamespace:
    unreader = SimpleNamespace(buf=BytesIO(read_ahead))
    parser = SimpleNamespace(unreader=unreader)
    return SimpleNamespace(sock=sock, parser=parser, initialized=True, data_ready=False)


@pytest.mark.parametrize(
    ("read_ahead", "in_socket", "seen"),
    [
        (b"", b"GET /livez HTTP/1.1\r\n\r\n", b"GET /livez HTTP/1.1\r\n\r\n"),
        # What came behind another request was read with it; the socket holds its body.
        (ORDER, b"GET /livez HTTP/1.1\r\n\r\n", ORDER),
        (ORDER, b"", ORDER),
        (b"", b"", None),
    ],
)
def test_a_request_is_judged_by_its_own_bytes(
    read_ahead: bytes, in_socket: bytes, seen: bytes | None
) -> None:
    worker = Worker.__new__(Worker)
    worker.cfg = SimpleNamespace(is_ssl=False)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(in_socket)

        assert worker._look(connection(ours, read_ahead=read_ahead)) == seen  # type: ignore[arg-type]
