"""What reaches the client: the whole answer, or one of the ways in which an answer goes missing."""

import asyncio
import random
import socket
import struct
import time
from collections.abc import Mapping

from aiohttp import web

from .calls import Answer, Call

# How often a hanging answer looks whether its client has gone.
_HANG_POLL_S = 0.05

_HTML = (
    "<html><head><title>502 Bad Gateway</title></head>"
    "<body><center><h1>502 Bad Gateway</h1></center></body></html>"
)


async def send(request: web.BaseRequest, call: Call, answer: Answer) -> tuple[web.Response, float | None]:
    """Send the whole answer; return it and the time at which it was handed to the network.

    The time is None if the client had gone by then.
    """
    response = web.Response(
        body=answer.body.encode(),
        status=answer.status,
        headers=_headers(call, request.headers, answer),
    )
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        return response, None
    return response, time.time()


def refuse(answer: Answer, *, request_id: str) -> web.Response:
    """Return the whole answer to a request that was turned away before it became a call."""
    headers = {"Content-Type": "application/json", "Request-Id": request_id, **(answer.headers or {})}
    return web.Response(body=answer.body.encode(), status=answer.status, headers=headers)


def reset(request: web.BaseRequest) -> web.Response:
    """Cut the connection so that the client's socket reports a reset."""
    transport = request.transport
    if transport is not None:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response()


async def hang(request: web.BaseRequest, *, longest_s: float) -> web.Response:
    """Say nothing until the client gives up; after `longest_s`, drop the connection."""
    deadline = time.monotonic() + longest_s
    while time.monotonic() < deadline and request.transport is not None:
        if request.transport.is_closing():
            break
        await asyncio.sleep(_HANG_POLL_S)
    return reset(request)


def garble(request: web.BaseRequest, answer: Answer, *, chance: random.Random) -> web.Response:
    """Send what is no answer: a web page with status 200, half of the JSON, or a body that ends early."""
    match chance.randrange(3):
        case 0:
            return web.Response(text=_HTML, content_type="text/html")
        case 1:
            return truncate(answer)
        case _:
            return _break_off(request, answer)


def truncate(answer: Answer) -> web.Response:
    """Send a whole answer around half of the JSON."""
    half = first_half(answer.body)
    return web.Response(body=half, status=answer.status, content_type="application/json")


def first_half(body: str) -> bytes:
    """Return a piece of `body` that is no JSON any more, since its object does not end."""
    encoded = body.encode()
    return encoded[: len(encoded) // 2]


def _break_off(request: web.BaseRequest, answer: Answer) -> web.Response:
    body = answer.body.encode()
    head = (
        f"HTTP/1.1 {answer.status} OK",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "\r\n",
    )
    if request.transport is not None:
        request.transport.write("\r\n".join(head).encode() + body[: len(body) // 2])
        request.transport.close()
    return web.Response()


def _headers(call: Call, sent: Mapping[str, str], answer: Answer) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Request-Id": call.request_id}
    if call.key is not None:
        headers["Idempotency-Key"] = call.key
    if (version := sent.get("Stripe-Version")) is not None:
        headers["Stripe-Version"] = version
    if answer.headers:
        headers.update(answer.headers)
    return headers
