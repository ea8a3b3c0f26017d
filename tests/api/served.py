"""The API behind gunicorn, as the stack runs it, and raw bytes to it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

Address = tuple[str, int]
_GUNICORN = (sys.executable, "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn")


@contextmanager
def gunicorn(*, workers: int = 1, **environment: str) -> Iterator[Address]:
    """Run gunicorn, with one worker, on a port of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = subprocess.Popen(
            [*_GUNICORN, "--workers", str(workers), "--bind", f"fd://{listener.fileno()}"],
            cwd=Path(settings.BASE_DIR),
            env={**os.environ, "HOLDFAST_LOG_LEVEL": "ERROR", **environment},
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            yield listener.getsockname()
        finally:
            server.terminate()
            server.wait(20)


def head(key: str, *, idempotency_key: str = "k") -> bytes:
    """Return the beginning of an order of somebody with this API key; more headers may follow."""
    return (
        f"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: {idempotency_key}\r\nConnection: close\r\n"
    ).encode()


def exchange(address: Address, *parts: bytes, stop_sending: bool = False) -> bytes:
    """Send these bytes and return what comes back until the server closes."""
    with socket.create_connection(address, timeout=30) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except OSError:  # answered and closed before everything was sent
                break
        if stop_sending:
            connection.shutdown(socket.SHUT_WR)
        received = []
        try:
            while piece := connection.recv(65536):
                received.append(piece)
        except ConnectionResetError:  # the answer came, then the rest of the body hit a closed door
            pass
    return b"".join(received)
