"""A receiver of webhooks as somebody else would write it: it checks signatures by their own library."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Lock, Thread
from typing import Any
from uuid import UUID

from django.db import transaction
from standardwebhooks import Webhook

from resilience import clock
from resilience.events import Fact, append, run_once
from resilience.ids import new_id
from resilience.webhooks.endpoints import EndpointDraft, create_endpoint
from resilience.webhooks.models import WebhookEndpoint
from resilience.webhooks.sender import Sender
from resilience.webhooks.subscriptions import WEBHOOKS
from tests.events_kit import Happened

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Received:
    """One post."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def number(self) -> int:
        number: int = json.loads(self.body)["data"]["number"]
        return number

    def is_signed_by(self, secret: str) -> bool:
        Webhook(secret).verify(self.body, self.headers)  # raises when it is not
        return True


Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Receiver:
    """What came, and what is answered: `answer` may be changed at any time."""

    answer: Callable[[Received], Answer] = lambda _received: (204, {}, b"")
    came: list[Received] = field(default_factory=list)
    port: int = 0
    _lock: Lock = field(default_factory=Lock)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/hooks"

    def take(self, received: Received) -> Answer:
        with self._lock:
            self.came.append(received)
        return self.answer(received)


@contextmanager
def receiving(receiver: Receiver | None = None) -> Iterator[Receiver]:
    """Serve a receiver within this block, at its port if it has one."""
    receiver = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # the sender was killed in the middle of it
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answered, text = receiver.take(Received(self.path, headers, body))
            try:
                self.send_response(status)
                for name, value in answered.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            except OSError:
                pass  # the sender has hung up, as it may

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer((HOST, receiver.port), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def endpoint_at(url: str, *, client: str = "shop", **draft: Any) -> WebhookEndpoint:
    return create_endpoint(client, EndpointDraft(url=url, **draft), now=clock.now())


def tell(*numbers: int, client: str = "shop", aggregate: UUID | None = None) -> UUID:
    """Publish `Happened` facts of one aggregate, and let webhooks hear of them."""
    aggregate = aggregate or new_id()
    with transaction.atomic():
        append([Fact(aggregate, Happened(number), client) for number in numbers], occurred_at=clock.now())
    hear()
    return aggregate


def hear() -> None:
    """Let the subscription catch up; its first run only takes its place."""
    while not run_once(WEBHOOKS).idle:
        pass


def send_until(condition: Callable[[], object], *, rounds: int = 400, sender: Sender | None = None) -> None:
    """Be the sender until `condition` holds."""
    own = sender or Sender(random=Random(1))
    try:
        for _round in range(rounds):
            if condition():
                return
            own.run_once()
        assert condition()
    finally:
        if sender is None:
            own.close()
