"""Webhooks: fifty receivers of which one hangs, beside the same fifty when none does."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Event, Thread
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from benchmarks.tools.row import Row
from config.stack.ports import LOOPBACK
from orders.events import ProductChanged
from resilience import clock
from resilience.events import Fact, append, run_once
from resilience.ids import new_id
from resilience.webhooks.endpoints import EndpointDraft, create_endpoint
from resilience.webhooks.models import WebhookAttempt, WebhookEndpoint
from resilience.webhooks.sender import Sender
from resilience.webhooks.subscriptions import WEBHOOKS

_RECEIVERS = 50
_EVENTS_PER_S = 1
_HANGING = "/hanging"


def measure(*, short: bool) -> list[Row]:
    """Return the rows."""
    settings.WEBHOOKS_TRUSTED_HOSTS = [LOOPBACK]
    seconds = 3 if short else 30
    calm_ms = _p99_ms(hangs=False, seconds=seconds)
    beside_ms = _p99_ms(hangs=True, seconds=seconds)
    change = beside_ms / calm_ms - 1
    return [
        Row(
            claim=f"one of {_RECEIVERS} receivers hangs, {_EVENTS_PER_S * _RECEIVERS} deliveries/s: "
            "p99 from committed to taken, of the others",
            ours=f"{beside_ms:.0f} ms ({change:+.0%})",
            target="< +10 %",
            peers=f"the same without one that hangs: {calm_ms:.0f} ms",
            holds=change < 0.1,
        )
    ]


def _p99_ms(*, hangs: bool, seconds: int) -> float:
    _clean()
    with _receivers(hangs=hangs) as base:
        for number in range(_RECEIVERS):
            path = _HANGING if number == 0 else f"/{number}"
            client = f"client-{number % 10}"
            create_endpoint(client, EndpointDraft(url=f"{base}{path}"), now=clock.now())
        while not run_once(WEBHOOKS).idle:
            pass
        stop = Event()
        sender = Thread(target=_send, args=(stop,))
        sender.start()
        for _tick in range(seconds * _EVENTS_PER_S):
            began_at = time.monotonic()
            with transaction.atomic():
                append(
                    [Fact(new_id(), ProductChanged("tea"), f"client-{client}") for client in range(10)],
                    occurred_at=clock.now(),
                )
            while not run_once(WEBHOOKS).idle:
                pass
            time.sleep(max(0.0, began_at + 1 / _EVENTS_PER_S - time.monotonic()))
        time.sleep(2)  # the last ones; whatever is later still is in the log of attempts, or missing there
        stop.set()
        sender.join()
    waits = sorted(
        (attempt.at - attempt.delivery.created_at).total_seconds() * 1000
        for attempt in WebhookAttempt.objects.select_related("delivery__endpoint")
        if not attempt.delivery.endpoint.url.endswith(_HANGING)
    )
    return waits[int(len(waits) * 0.99)]


def _send(stop: Event) -> None:
    try:
        Sender(random=Random(1)).serve(stop)
    finally:
        connection.close()


def _clean() -> None:
    WebhookEndpoint.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE resilience_event, resilience_event_stream, resilience_inbox")


@contextmanager
def _receivers(*, hangs: bool) -> Iterator[str]:
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if hangs and self.path == _HANGING:
                over.wait(60)
            try:
                self.send_response(204)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                pass  # the sender has hung up

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
