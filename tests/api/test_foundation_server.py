"""What only a real server shows: bodies in chunks, bodies that lie about their length, raw bytes."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from resilience.apikeys.cache import known_keys
from tests.api.foundation import Caller

pytestmark = pytest.mark.django_db(transaction=True)
GUNICORN = (sys.executable, "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn")
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"  # a sixteenth of the limit


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """Run gunicorn as the stack does, with one worker."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = subprocess.Popen(
            [*GUNICORN, "--workers", "1", "--bind", f"fd://{listener.fileno()}"],
            cwd=Path(settings.BASE_DIR),
            env={**os.environ, "HOLDFAST_LOG_LEVEL": "ERROR"},
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            yield listener.getsockname()
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture
def head() -> bytes:
    """The beginning of a POST of somebody who may."""
    known_keys.forget_all()
    key = Caller().plaintext
    return (
        f"POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nIdempotency-Key: k\r\nConnection: close\r\n"
    ).encode()


def test_a_chunked_body_is_read(address: tuple[str, int], head: bytes) -> None:
    answer = _exchange(
        address, head + b"Transfer-Encoding: chunked\r\n\r\n", b'8\r\n{"x": 1}\r\n', b"0\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"field":"/x","code":"unknown_field"' in answer


def test_a_chunked_body_above_the_limit_is_a_413(address: tuple[str, int], head: bytes) -> None:
    # One byte too many and no more: a server that closes over unread bytes resets the connection.
    answer = _exchange(
        address, head + b"Transfer-Encoding: chunked\r\n\r\n", *[CHUNK] * 16, b"1\r\nx\r\n0\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in answer


def test_an_announced_body_above_the_limit_is_a_413_before_it_is_sent(
    address: tuple[str, int], head: bytes
) -> None:
    answer = _exchange(address, head + b"Content-Length: 1048577\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_longer_than_announced_is_cut_where_it_was_announced(
    address: tuple[str, int], head: bytes
) -> None:
    answer = _exchange(address, head + b'Content-Length: 8\r\n\r\n{"x": 1}{"lines": []}')

    assert b'{"field":"/x","code":"unknown_field"' in answer
    assert b"/lines" in answer
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"abc", b"5\r\nContent-Length: 6"])
def test_a_length_that_is_no_length_is_refused(address: tuple[str, int], head: bytes, length: bytes) -> None:
    answer = _exchange(address, head + b"Content-Length: " + length + b"\r\n\r\n{}")

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_both_kinds_of_length_at_once_are_refused(address: tuple[str, int], head: bytes) -> None:
    both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"

    assert _exchange(address, head + both).startswith(b"HTTP/1.1 400 ")


def test_raw_bytes_in_the_address_are_a_400(address: tuple[str, int], head: bytes) -> None:
    answer = _exchange(
        address, head.replace(b"/orders", b"/orders?x=\xff\xfe") + b"Content-Length: 0\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 400 ")


def _exchange(address: tuple[str, int], *parts: bytes) -> bytes:
    with socket.create_connection(address, timeout=30) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except OSError:  # answered and closed before everything was sent
                break
        received = []
        try:
            while piece := connection.recv(65536):
                received.append(piece)
        except ConnectionResetError:  # the answer came, then the rest of the body hit a closed door
            pass
    return b"".join(received)
