"""The thin client sends each request once, knows what was not sent, and keeps its connections in order."""

import os
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from payments.gateways import http
from payments.gateways.http import NoAnswerError, NotReachedError, ThinClient
from tests.unit.scripted_gateway import (
    ScriptedGateway,
    answer,
    chunked,
    drip,
    hang_up,
    reset,
    say_nothing,
    then_hang_up,
)

OK = answer({"ok": True})
CERTIFICATE = Path(__file__).with_name("localhost.pem")


def client(origin, *, connect_timeout_s=1.0, read_timeout_s=1.0, **options):
    return ThinClient(
        origin=origin, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s, **options
    )


def get(thin, origin):
    return thin.request("get", f"{origin}/v1/x", {})


def serving_tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def test_a_request_goes_out_whole_and_the_answer_comes_back():
    with ScriptedGateway([answer("{}", status=201, headers="Request-Id: req_1\r\n")]) as server:
        body, status, headers = client(server.url).request(
            "post", f"{server.url}/v1/x", {"Authorization": "Bearer sk_test_1"}, "amount=1&name=%C3%A9"
        )

    assert (body, status, headers["request-id"]) == ("{}", 201, "req_1")
    assert server.requests == [
        b"POST /v1/x HTTP/1.1\r\nHost: " + server.url.removeprefix("http://").encode() + b"\r\n"
        b"Accept-Encoding: identity\r\nAuthorization: Bearer sk_test_1\r\nContent-Length: 20\r\n\r\n"
        b"amount=1&name=%C3%A9"
    ]


def test_a_connection_serves_many_requests():
    with ScriptedGateway([OK, chunked({}), OK]) as server:
        thin = client(server.url)
        for _call in range(10):
            get(thin, server.url)

    assert (server.connections, len(server.requests)) == (1, 10)


def test_tls_serves_many_requests_over_one_connection():
    with ScriptedGateway([OK], tls=serving_tls()) as server:
        thin = client(server.url, ca_file=str(CERTIFICATE))
        statuses = [get(thin, server.url)[1] for _call in range(5)]

    assert (statuses, server.connections) == ([200] * 5, 1)


def test_sixty_four_threads_keep_sixty_four_connections():
    everybody = threading.Barrier(64)

    def together(_connection):
        everybody.wait(5)
        _connection.sendall(OK)

    with ScriptedGateway([together]) as server, ThreadPoolExecutor(64) as pool:
        thin = client(server.url, read_timeout_s=5)
        for _round in range(3):
            assert len(list(pool.map(lambda _: get(thin, server.url), range(64)))) == 64

    assert (server.connections, len(server.requests)) == (64, 192)


def test_an_idle_connection_that_the_server_closed_is_noticed_before_it_is_used():
    with ScriptedGateway([then_hang_up(OK), OK]) as server:
        thin = client(server.url)
        get(thin, server.url)
        assert server.hung_up.wait(5)

        assert get(thin, server.url)[1] == 200

    assert (server.connections, len(server.requests)) == (2, 2)


@pytest.mark.parametrize("failure", [hang_up, reset], ids=["closed", "reset"])
def test_a_request_that_fails_on_a_used_connection_is_not_sent_again(failure):
    with ScriptedGateway([OK, failure]) as server:
        thin = client(server.url)
        get(thin, server.url)

        with pytest.raises(NoAnswerError):
            get(thin, server.url)

    assert len(server.requests) == 2


def test_an_old_idle_connection_is_replaced(monkeypatch):
    monkeypatch.setattr(http, "IDLE_S_MAX", -1.0)
    with ScriptedGateway([OK]) as server:
        thin = client(server.url)
        get(thin, server.url)
        get(thin, server.url)

    assert server.connections == 2


def test_a_connection_that_the_server_will_close_is_not_kept():
    with ScriptedGateway([answer({}, headers="Connection: close\r\n")]) as server:
        thin = client(server.url)
        get(thin, server.url)
        get(thin, server.url)

    assert server.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        hang_up,
        reset,
        say_nothing,
        drip,
        b"SSH-2.0-OpenSSH\r\n\r\n",
        then_hang_up(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"),
        then_hang_up(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}"),
        then_hang_up(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"),
        answer(b"\xff\xfe"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 4194305\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        then_hang_up(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b" " * (http.ANSWER_BYTES_MAX + 1)),
    ],
)
def test_whatever_breaks_after_the_request_left_is_no_answer(reply):
    with ScriptedGateway([reply]) as server, pytest.raises(NoAnswerError):
        get(client(server.url, read_timeout_s=0.3), server.url)

    assert len(server.requests) == 1


def test_a_refused_connection_was_not_reached():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        origin = f"http://127.0.0.1:{closed.getsockname()[1]}"

    with pytest.raises(NotReachedError, match="ConnectionRefusedError"):
        get(client(origin), origin)


@pytest.mark.parametrize("host", ["gateway.invalid", "a" * 70 + ".invalid"])
def test_a_name_without_an_address_was_not_reached(host):
    with pytest.raises(NotReachedError):
        get(client(f"http://{host}"), f"http://{host}")


def test_a_connection_that_takes_too_long_was_not_reached():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _client in range(3)]
        for queued in waiting:
            queued.setblocking(False)
            queued.connect_ex(full.getsockname())
        origin = f"http://127.0.0.1:{full.getsockname()[1]}"

        with pytest.raises(NotReachedError, match="timed out"):
            get(client(origin, connect_timeout_s=0.2), origin)

        for queued in waiting:
            queued.close()


def test_a_server_that_speaks_no_tls_was_not_reached():
    with ScriptedGateway([OK]) as server:
        origin = server.url.replace("http:", "https:")
        with pytest.raises(NotReachedError):
            get(client(origin, connect_timeout_s=0.3), origin)

    assert server.requests == []


def test_a_server_that_we_do_not_trust_was_not_reached():
    with (
        ScriptedGateway([OK], tls=serving_tls()) as server,
        pytest.raises(NotReachedError, match="CERTIFICATE"),
    ):
        get(client(server.url), server.url)

    assert server.requests == []


def test_the_secret_goes_to_no_other_origin():
    for url in ("http://127.0.0.1:10/v1/x", "http://127.0.0.1:1.evil.example/x", "https://127.0.0.1:1/x"):
        with pytest.raises(ValueError, match="own origin"):
            client("http://127.0.0.1:1").request("get", url, {})


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb"])
def test_a_line_break_in_a_header_is_refused(value):
    with pytest.raises(ValueError, match="line break"):
        client("http://127.0.0.1:1").request("post", "http://127.0.0.1:1/x", {"Idempotency-Key": value})


@pytest.mark.parametrize("origin", ["ftp://host", "http://", "http://host/path", "http://host?x", "host:80"])
def test_a_url_that_is_no_origin_is_refused(origin):
    with pytest.raises(ValueError, match="gateway's url"):
        client(origin)


def test_the_sdk_cannot_make_it_send_twice():
    with ScriptedGateway([answer({}, status=500)]) as server:
        _body, status, _headers = client(server.url).request_with_retries(
            "post", f"{server.url}/v1/x", {}, "", max_network_retries=5
        )

    assert (status, len(server.requests)) == (500, 1)


def test_a_forked_child_opens_its_own_connection():
    with ScriptedGateway([OK]) as server:
        thin = client(server.url)
        get(thin, server.url)

        child = os.fork()
        if child == 0:
            os._exit(0 if get(thin, server.url)[1] == 200 else 1)
        _pid, exit_status = os.waitpid(child, 0)
        get(thin, server.url)

    assert (exit_status, server.connections) == (0, 2)
