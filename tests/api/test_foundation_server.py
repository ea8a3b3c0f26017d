"""What only a real server shows: bodies in chunks, bodies that lie about their length, raw bytes."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from resilience.apikeys.cache import known_keys
from tests.api import served
from tests.api.foundation import Caller
from tests.api.served import exchange

pytestmark = pytest.mark.django_db(transaction=True)
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"  # a sixteenth of the limit


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with served.gunicorn() as listening_at:
        yield listening_at


@pytest.fixture
def head() -> bytes:
    """The beginning of a POST of somebody who may."""
    known_keys.forget_all()
    return served.head(Caller().plaintext)


def test_a_chunked_body_is_read(address: tuple[str, int], head: bytes) -> None:
    answer = exchange(
        address, head + b"Transfer-Encoding: chunked\r\n\r\n", b'8\r\n{"x": 1}\r\n', b"0\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"field":"/x","code":"unknown_field"' in answer


def test_a_chunked_body_above_the_limit_is_a_413(address: tuple[str, int], head: bytes) -> None:
    # One byte too many and no more: a server that closes over unread bytes resets the connection.
    answer = exchange(
        address, head + b"Transfer-Encoding: chunked\r\n\r\n", *[CHUNK] * 16, b"1\r\nx\r\n0\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in answer


def test_an_announced_body_above_the_limit_is_a_413_before_it_is_sent(
    address: tuple[str, int], head: bytes
) -> None:
    answer = exchange(address, head + b"Content-Length: 1048577\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_longer_than_announced_is_cut_where_it_was_announced(
    address: tuple[str, int], head: bytes
) -> None:
    answer = exchange(address, head + b'Content-Length: 8\r\n\r\n{"x": 1}{"lines": []}')

    assert b'{"field":"/x","code":"unknown_field"' in answer
    assert b"/lines" in answer
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"abc", b"5\r\nContent-Length: 6"])
def test_a_length_that_is_no_length_is_refused(address: tuple[str, int], head: bytes, length: bytes) -> None:
    answer = exchange(address, head + b"Content-Length: " + length + b"\r\n\r\n{}")

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_both_kinds_of_length_at_once_are_refused(address: tuple[str, int], head: bytes) -> None:
    both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"

    assert exchange(address, head + both).startswith(b"HTTP/1.1 400 ")


def test_raw_bytes_in_the_address_are_a_400(address: tuple[str, int], head: bytes) -> None:
    answer = exchange(address, head.replace(b"/orders", b"/orders?x=\xff\xfe") + b"Content-Length: 0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")


LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


def seconds_of(address: tuple[str, int], *parts: bytes) -> float:
    """Return how long the answer to this request, a 200, takes."""
    started = time.monotonic()
    with socket.create_connection(address, timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    return time.monotonic() - started


def test_a_probe_whose_body_never_comes_holds_up_no_other(address: tuple[str, int]) -> None:
    with ExitStack() as held:
        for announced in (b"Transfer-Encoding: chunked\r\n\r\n", b"Content-Length: 5\r\n\r\n"):
            silent = held.enter_context(socket.create_connection(address))
            silent.sendall(LIVEZ + announced)
        time.sleep(0.2)

        assert seconds_of(address, LIVEZ + b"\r\n") < 2


def test_probes_sent_at_once_are_each_answered_and_so_is_what_stands_behind_them(
    address: tuple[str, int],
) -> None:
    probe = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /api/v1/schema HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    answered = exchange(address, probe * 3 + last)

    assert answered.count(b'{"status": "pass"}') == 3
    assert answered.count(b"HTTP/1.1 200 ") == 4


def test_who_does_not_close_after_its_answer_holds_up_nobody(address: tuple[str, int]) -> None:
    with ExitStack() as held:
        for _ in range(8):
            silent = held.enter_context(socket.create_connection(address))
            silent.sendall(LIVEZ + b"\r\n")
        time.sleep(0.5)

        assert seconds_of(address, LIVEZ + b"\r\n") < 2


def test_who_is_ended_hears_the_end_and_then_nothing_more_is_taken(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(LIVEZ + b"\r\n")
        while connection.recv(65536):
            pass
        started = time.monotonic()

        is_taken = True
        while is_taken and time.monotonic() - started < 20:
            time.sleep(0.1)
            try:
                connection.sendall(b"x")
            except OSError:
                is_taken = False

    assert 1 < time.monotonic() - started < 10


def test_scrapers_hold_up_no_probe(address: tuple[str, int]) -> None:
    scrape = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    seconds_of(address, scrape)
    with ExitStack() as held:
        for _ in range(40):
            held.enter_context(socket.create_connection(address)).sendall(scrape)

        assert seconds_of(address, LIVEZ + b"\r\n") < 1.5


def test_clients_that_fall_silent_within_a_request_lose_their_threads(address: tuple[str, int]) -> None:
    with ExitStack() as held:
        for _ in range(8):
            silent = held.enter_context(socket.create_connection(address))
            silent.sendall(b"GET /api/docs HTTP/1.1\r\nHost: loc")
        time.sleep(0.2)

        # Not a probe: it needs one of the threads that they hold.
        assert seconds_of(address, b"GET /api/docs HTTP/1.1\r\nHost: localhost\r\n", b"\r\n") < 20
