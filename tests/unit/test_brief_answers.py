"""What the accepting thread answers by itself, and what it leaves to the parser and a thread."""

import pytest

from config.admission import Verdict
from config.brief_answers import brief_answer, plain_request
from resilience.limits.shedder import Shed
from resilience.limits.shedding import Cause, Tier

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
ORDER = b"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
LET_IN = Verdict(None)
TURNED_AWAY = Verdict(Shed(tier=Tier.LIST, cause=Cause.QUEUE, retry_after_s=3))


@pytest.mark.parametrize(
    "seen",
    [
        b"",
        LIVEZ,
        b"GET /livez HTTP/1.0\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\nHost: x\n\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET  /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        LIVEZ + b" folded\r\n\r\n",
        LIVEZ + b"Bad Name: 1\r\n\r\n",
        LIVEZ + b"Nul: \0\r\n\r\n",
        LIVEZ + b"Host: y\r\n\r\n",
        LIVEZ + b"Transfer-Encoding: chunked\r\n\r\n",
        LIVEZ + b"Expect: 100-continue\r\n\r\n",
        LIVEZ + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        LIVEZ + b"Content-Length: 1\r\n\r\n",
        LIVEZ + b"Content-Length: -1\r\n\r\n",
        LIVEZ + b"Content-Length: 1, 1\r\n\r\nx",
        LIVEZ + b"content_length : 0\r\n\r\n",
    ],
)
def test_what_is_not_whole_and_plain_is_served_in_its_lane(seen: bytes) -> None:
    assert plain_request(seen) is None
    assert brief_answer(seen, LET_IN) is None
    assert brief_answer(seen, TURNED_AWAY) is None


def test_only_its_own_bytes_are_answered() -> None:
    seen = ORDER + b"\r\n{}" + LIVEZ + b"\r\n"

    answer = brief_answer(seen, TURNED_AWAY)

    assert answer is not None
    assert seen[answer.length :] == LIVEZ + b"\r\n"
    assert (answer.sent.count(b"HTTP/1.1 "), answer.closes) == (1, False)


def test_a_refusal_says_what_the_application_says() -> None:
    answer = brief_answer(ORDER + b"X-Request-ID: mine\r\n\r\n{}", TURNED_AWAY)

    assert answer is not None
    head, _, body = answer.sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert {b"Retry-After: 3", b"X-Request-Id: mine", b"Cache-Control: no-store"} <= set(head.split(b"\r\n"))
    assert f"Content-Length: {len(body)}".encode() in head
    assert b'"instance":"/api/v1/orders"' in body.replace(b" ", b"")


def test_a_probe_is_answered_and_its_connection_ended_when_it_says_so() -> None:
    answer = brief_answer(LIVEZ + b"Connection: close\r\n\r\n", LET_IN)

    assert answer is not None
    assert answer.closes
    assert answer.sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in answer.sent
    assert answer.sent.endswith(b'\r\n\r\n{"status": "pass"}')


def test_the_head_of_a_probe_has_no_body() -> None:
    answer = brief_answer(b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n", LET_IN)

    assert answer is not None
    assert b"\r\nContent-Length: 18\r\n" in answer.sent
    assert answer.sent.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", [b"/livezz", b"/livez/", b"/livez?x=1", b"/readyz", b"/api/v1/orders"])
def test_what_is_let_in_is_served(path: bytes) -> None:
    assert brief_answer(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n", LET_IN) is None
