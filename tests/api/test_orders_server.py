"""Orders through a real server: bodies in pieces, bodies cut off, keep-alive, and many at once."""

import gzip
import json
from collections.abc import Iterator

import httpx
import pytest

from orders.models import Order
from resilience.apikeys.cache import known_keys
from tests.api import served
from tests.api.malformed import FULL, RAW
from tests.api.served import Address, exchange, head
from tests.api.shop import EVERYTHING, ORDERS, Shop, answers_stored, order_body, rows_written
from tests.orders_kit import stock
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)
BODY_BYTES_MAX = 1024 * 1024
CALLERS = 16


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    with served.gunicorn() as listening_at:
        yield listening_at


@pytest.fixture
def key() -> str:
    known_keys.forget_all()
    stock(100)
    return Shop(permissions=EVERYTHING).plaintext


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_an_order_in_chunks_is_an_order(address: Address, key: str, size: int) -> None:
    answer = exchange(address, head(key) + b"Transfer-Encoding: chunked\r\n\r\n", chunked(RAW, size))

    assert answer.startswith(b"HTTP/1.1 201 ")
    assert Order.objects.count() == 1


def test_spaces_up_to_the_limit_are_taken_and_one_more_is_not(address: Address, key: str) -> None:
    for spaces, status in ((BODY_BYTES_MAX - len(RAW), 201), (BODY_BYTES_MAX - len(RAW) + 1, 413)):
        body = RAW + b" " * spaces
        with_length = exchange(
            address, head(key, idempotency_key="l") + b"Content-Length: %d\r\n\r\n" % len(body), body
        )
        in_chunks = exchange(
            address,
            head(key, idempotency_key="c") + b"Transfer-Encoding: chunked\r\n\r\n",
            chunked(body, BODY_BYTES_MAX),
        )
        assert with_length.startswith(b"HTTP/1.1 %d " % status)
        assert in_chunks.startswith(b"HTTP/1.1 %d " % status)
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: %d\r\n\r\n%s" % (len(RAW), RAW[:-1]),
        b"Content-Length: %d\r\n\r\n" % len(RAW),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(RAW), RAW),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s" % (len(RAW), RAW[:-5]),
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n%s\r\n0\r\n\r\n" % RAW,
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(RAW) - 1, RAW),
        b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked(gzip.compress(RAW), 100),
        b"Transfer-Encoding: identity\r\n\r\n" + RAW,
    ],
)
def test_an_order_that_breaks_off_or_lies_about_its_length_is_none(
    address: Address, key: str, framing: bytes
) -> None:
    before = rows_written()

    answer = exchange(address, head(key) + framing, stop_sending=True)

    assert answer == b"" or answer.split(b" ", 2)[1] in (b"400", b"415", b"501")
    assert rows_written() == before
    assert answers_stored() == 0


def test_two_keys_in_one_request_are_no_way_round_a_key(address: Address, key: str) -> None:
    twice = head(key) + b"Idempotency-Key: k2\r\nContent-Length: %d\r\n\r\n" % len(RAW)

    first, second = (exchange(address, twice, RAW) for _time in range(2))

    assert first.split(b" ", 2)[1] == second.split(b" ", 2)[1]
    assert Order.objects.count() <= 1


def test_a_refused_body_leaves_the_connection_in_step(address: Address, key: str) -> None:
    # gunicorn reads 64 KiB that nobody read; after more it closes, and a client has to connect anew.
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}", headers=headers) as client:
        for number in range(3):
            refused = client.post(ORDERS, content=b"x" * 60_000, headers={"Content-Type": "text/plain"})
            placed = client.post(ORDERS, json=FULL, headers={"Idempotency-Key": f"k{number}"})
            assert (refused.status_code, placed.status_code) == (415, 201)


def test_sixteen_clients_with_one_key_place_one_order(address: Address, key: str) -> None:
    url = f"http://{address[0]}:{address[1]}{ORDERS}"
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "k"}

    answers = at_once([lambda: httpx.post(url, json=order_body(), headers=headers, timeout=30)] * CALLERS)

    assert {answer.status_code for answer in answers} <= {201, 409}
    accepted = [answer for answer in answers if answer.status_code == 201]
    assert sum("Idempotency-Replayed" not in answer.headers for answer in accepted) == 1
    assert Order.objects.count() == 1
    read = httpx.get(
        f"http://{address[0]}:{address[1]}{accepted[0].headers['Location']}",
        headers={**headers, "Consistency-Token": accepted[0].headers["Consistency-Token"]},
    )
    assert json.loads(accepted[0].content) == read.json()
