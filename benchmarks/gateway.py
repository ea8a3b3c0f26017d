"""`python -m benchmarks.gateway`: the fastest gateway that our adapter believes.

It speaks the few of Stripe's calls that a paid order needs, keeps its book in memory, and answers
after a settable latency. It exists so that a figure tells of the contender and not of the gateway
(the real sandbox costs about as much CPU as a whole order); it has no faults, and proves nothing.

- `POST /v1/payment_intents`, `POST /v1/payment_intents/{id}/capture`, `GET /v1/payment_intents/{id}`,
  `GET /v1/payment_intents/search`; equal idempotency keys get equal answers.
- `GET /_book` says what was charged, `POST /_book?latency_ms=N` begins an empty one.
"""

import argparse
import asyncio
import json
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qsl, unquote_plus

INTENTS = "/v1/payment_intents"
_OPERATION_KEY = re.compile(r"metadata\['operation_key'\]:'([^']*)'")
_REASONS = {200: "OK", 404: "Not Found"}


@dataclass
class Book:
    """What was authorized and captured since it was begun."""

    latency_s: float = 0.0
    intents: dict[str, dict[str, object]] = field(default_factory=dict)
    by_key: dict[str, str] = field(default_factory=dict)
    captured: int = 0
    captured_minor: int = 0

    def authorize(self, form: Mapping[str, str], key: str) -> dict[str, object]:
        """Reserve money; the same key gets the same intent."""
        known = self.by_key.get(key)
        if known:
            return self.intents[known]
        intent_id = f"pi_{len(self.intents):024d}"
        intent: dict[str, object] = {
            "id": intent_id,
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "amount_received": 0,
            "capture_method": "manual",
            "currency": form["currency"],
            "latest_charge": f"ch_{len(self.intents):024d}",
            "metadata": {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")},
            "payment_method": form["payment_method"],
            "status": "requires_capture",
        }
        self.intents[intent_id] = intent
        self.by_key[key] = intent_id
        return intent

    def capture(self, intent: dict[str, object]) -> dict[str, object]:
        """Take reserved money; done twice, it is taken once."""
        if intent["status"] == "requires_capture":
            intent["status"] = "succeeded"
            intent["amount_received"] = intent["amount"]
            self.captured += 1
            self.captured_minor += int(str(intent["amount"]))
        return intent

    def search(self, query: str) -> dict[str, object]:
        """Return the page of intents that carry the operation key of `query`."""
        found = _OPERATION_KEY.search(query)
        key = found[1] if found else ""
        data = [self.intents[self.by_key[key]]] if key in self.by_key else []
        return {"object": "search_result", "has_more": False, "data": data}


class Connection(asyncio.Protocol):
    """One client's connection: requests come one after another and are answered in their order."""

    def __init__(self, books: list[Book]) -> None:
        # A list of one, which all connections share, so that the book can be replaced.
        self._books = books
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._received[:end].decode("latin-1").split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines if ": " in line)
            headers = {name.lower(): value for name, value in headers.items()}
            length = int(headers.get("content-length", 0))
            if len(self._received) < end + 4 + length:
                return
            content = self._received[end + 4 : end + 4 + length].decode()
            self._received = self._received[end + 4 + length :]
            method, target, _version = first.split(" ")
            self._answer(method, target, headers.get("idempotency-key", ""), content)

    def _answer(self, method: str, target: str, key: str, content: str) -> None:
        path, _mark, query = target.partition("?")
        if path == "/_book":
            self._send(200, self._administer(method, query))
            return
        book = self._books[0]
        body = _carry_out(book, method, path, query, key, content)
        status, body = (
            (200, body) if body is not None else (404, {"error": {"type": "invalid_request_error"}})
        )
        if book.latency_s:
            asyncio.get_running_loop().call_later(book.latency_s, partial(self._send, status, body))
        else:
            self._send(status, body)

    def _administer(self, method: str, query: str) -> dict[str, object]:
        if method == "POST":
            self._books[0] = Book(latency_s=float(dict(parse_qsl(query))["latency_ms"]) / 1000)
        book = self._books[0]
        return {
            "authorized": len(book.intents),
            "captured": book.captured,
            "captured_minor": book.captured_minor,
        }

    def _send(self, status: int, body: Mapping[str, object]) -> None:
        content = json.dumps(body, separators=(",", ":")).encode()
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        self._transport.write(head.encode() + content)


def _carry_out(
    book: Book, method: str, path: str, query: str, key: str, content: str
) -> dict[str, object] | None:
    """Return the answer's body, None for what does not exist."""
    if path == INTENTS and method == "POST":
        return book.authorize(dict(parse_qsl(content)), key)
    if path == f"{INTENTS}/search":
        return book.search(unquote_plus(dict(parse_qsl(query)).get("query", "")))
    intent_id, _slash, action = path.removeprefix(f"{INTENTS}/").partition("/")
    intent = book.intents.get(intent_id)
    if intent is not None and method == "POST" and action == "capture":
        return book.capture(intent)
    return intent


async def serve(*, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    books = [Book()]
    server = await loop.create_server(partial(Connection, books), host, port, backlog=512)
    async with server:
        await stopped.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    asyncio.run(serve(host=arguments.host, port=arguments.port))


if __name__ == "__main__":
    main()
