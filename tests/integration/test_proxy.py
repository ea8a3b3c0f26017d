"""The TCP proxy, as a process of its own: what each behaviour does to a client and to a server."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import httpx
import pytest

from config.stack.ports import pick_port
from config.stack.probes import http_answers
from config.stack.proxy.client import ProxyClient
from tests.harness import FOLDER
from tests.processes import wait_until

NEVER_S = 0.3


class Echo:
    """A server that answers each piece with the same piece, and notes what it saw."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.received = b""
        self.resets = 0
        self.ends = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            while data := connection.recv(65536):
                self.received += data
                connection.sendall(data)
            self.ends += 1
        except ConnectionResetError:
            self.resets += 1
        finally:
            connection.close()


class Proxied:
    """A proxy with one route, `way`, to an echo."""

    def __init__(self, *, listens: int, control: ProxyClient, echo: Echo) -> None:
        self.listens = listens
        self.control = control
        self.echo = echo

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.listens), timeout=5)

    def way(self) -> dict[str, object]:
        return self.control.routes()["way"]


@contextmanager
def running_proxy(echo: Echo) -> Iterator[Proxied]:
    random = Random()
    control, listens = pick_port(random=random), pick_port(random=random)
    process = subprocess.Popen(
        [sys.executable, "-m", "config.stack.proxy", "--control", str(control),
         "--route", f"way={listens}:{echo.port}"],
        cwd=FOLDER,
    )  # fmt: skip
    try:
        wait_until(http_answers(control, "/routes"))
        yield Proxied(listens=listens, control=ProxyClient(url=f"http://127.0.0.1:{control}"), echo=echo)
    finally:
        process.terminate()
        assert process.wait(10) == 0


@pytest.fixture(scope="module")
def running() -> Iterator[Proxied]:
    with running_proxy(Echo()) as proxied:
        yield proxied


@pytest.fixture
def proxied(running: Proxied) -> Iterator[Proxied]:
    yield running
    running.control.heal()
    running.control.cut(["way"])


def said(connection: socket.socket, text: bytes) -> bytes:
    """Send `text` and return as many bytes as come back."""
    connection.sendall(text)
    return heard(connection, len(text))


def heard(connection: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        piece = connection.recv(size - len(got))
        if not piece:
            break
        got += piece
    return got


def nothing_comes(connection: socket.socket) -> bool:
    connection.settimeout(NEVER_S)
    try:
        return connection.recv(1) is None
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5)


def test_what_is_sent_arrives_unchanged_both_ways(proxied: Proxied) -> None:
    before = proxied.way()
    data = Random(1).randbytes(3_000_000)

    with proxied.connect() as client:
        threading.Thread(target=client.sendall, args=(data,)).start()
        got = heard(client, len(data))

    assert got == data
    after = proxied.way()
    assert after["bytes_to_server"] - before["bytes_to_server"] == len(data)
    assert after["bytes_to_client"] - before["bytes_to_client"] == len(data)
    assert after["connections"] - before["connections"] == 1
    wait_until(lambda: proxied.way()["open"] == 0)


def test_the_end_of_a_stream_is_passed_on_after_all_that_came_before(proxied: Proxied) -> None:
    proxied.control.behave(["way"], latency_ms=50)
    with proxied.connect() as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)

        assert heard(client, 11) == b"last words"

    wait_until(lambda: proxied.way()["open"] == 0)


def test_a_refusing_route_refuses_and_resets_what_was_open(proxied: Proxied) -> None:
    with proxied.connect() as client:
        assert said(client, b"hello") == b"hello"

        proxied.control.behave(["way"], mode="refuse")

        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        proxied.connect()
    proxied.control.heal()
    with proxied.connect() as client:
        assert said(client, b"again") == b"again"


def test_a_resetting_route_counts_who_tried(proxied: Proxied) -> None:
    proxied.control.behave(["way"], mode="reset")
    before = proxied.way()["connections"]

    for _attempt in range(3):
        with pytest.raises(ConnectionResetError), proxied.connect() as client:
            client.recv(1)

    assert proxied.way()["connections"] - before == 3


def test_a_black_hole_swallows_and_gives_back_what_it_swallowed(proxied: Proxied) -> None:
    with proxied.connect() as old:
        assert said(old, b"hello") == b"hello"
        proxied.control.behave(["way"], mode="black_hole")
        with proxied.connect() as new:
            old.sendall(b"old")
            new.sendall(b"new")
            seen = proxied.echo.received

            assert nothing_comes(old)
            assert nothing_comes(new)
            assert proxied.echo.received == seen

            proxied.control.heal()
            assert heard(old, 3) == b"old"
            assert heard(new, 3) == b"new"


def test_requests_pass_and_answers_do_not(proxied: Proxied) -> None:
    proxied.control.behave(["way"], mode="black_hole", stalls="to_client")
    with proxied.connect() as client:
        client.sendall(b"done without an answer")
        wait_until(lambda: proxied.echo.received.endswith(b"done without an answer"))

        assert nothing_comes(client)


def test_latency_is_added_each_way_and_taken_away_at_once(proxied: Proxied) -> None:
    with proxied.connect() as client:
        proxied.control.behave(["way"], latency_ms=100)
        began = time.monotonic()
        assert said(client, b"slow") == b"slow"
        took_s = time.monotonic() - began

        proxied.control.behave(["way"], latency_ms=600_000)
        client.sendall(b"late")
        assert nothing_comes(client)
        proxied.control.heal()
        assert heard(client, 4) == b"late"

    assert 0.2 <= took_s < 1.0


def test_bandwidth_is_limited(proxied: Proxied) -> None:
    proxied.control.behave(["way"], bytes_per_s=100_000)
    data = bytes(50_000)
    with proxied.connect() as client:
        began = time.monotonic()
        threading.Thread(target=client.sendall, args=(data,)).start()
        assert heard(client, len(data)) == data

    assert 0.5 <= time.monotonic() - began < 3.0


def test_a_cut_loses_what_is_under_way_and_tells_both_ends(proxied: Proxied) -> None:
    proxied.control.behave(["way"], latency_ms=60_000)
    with proxied.connect() as client:
        client.sendall(b"never arrives")
        wait_until(lambda: proxied.way()["open"] == 1)
        resets = proxied.echo.resets

        assert proxied.control.cut(["way"]) == 1

        with pytest.raises(ConnectionResetError):
            client.recv(1)
    wait_until(lambda: proxied.echo.resets == resets + 1)
    assert b"never arrives" not in proxied.echo.received


def test_an_abandoned_connection_stays_open_for_its_client_only(proxied: Proxied) -> None:
    with proxied.connect() as client:
        assert said(client, b"hello") == b"hello"
        resets = proxied.echo.resets

        assert proxied.control.abandon(["way"]) == 1

        wait_until(lambda: proxied.echo.resets == resets + 1)
        client.sendall(b"is anybody there")
        assert nothing_comes(client)
        with proxied.connect() as another:
            assert said(another, b"new") == b"new"


def test_who_leads_nowhere_is_reset_and_counted() -> None:
    echo = Echo()
    echo.port = pick_port(random=Random())
    with running_proxy(echo) as proxied:
        with pytest.raises(ConnectionResetError), proxied.connect() as client:
            client.recv(1)

        assert proxied.way()["unreachable"] == 1


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"mode": "explode"}, "'explode' is not a valid Mode"),
        ({"latency": 5}, "Unknown: latency"),
        ({"latency_ms": "5"}, "latency_ms is a number"),
        ({"bytes_per_s": 0}, "above 0"),
        ([], "JSON object"),
    ],
)
def test_a_wish_that_cannot_be_read_changes_nothing(proxied: Proxied, wish: object, why: str) -> None:
    before = proxied.way()
    answer = httpx.put(f"{proxied.control._url}/routes/way", json=wish)

    assert answer.status_code == 400
    assert why in answer.json()["error"]
    assert proxied.way()["mode"] == before["mode"]


def test_an_unknown_route_is_said_to_be_unknown(proxied: Proxied) -> None:
    answer = httpx.post(f"{proxied.control._url}/routes/elsewhere/cut")

    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "There is no route elsewhere. There are: way."},
    )
