"""Webhooks: signed, tried again, and subject to faults."""

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe

SECRET = "whsec_test"


class Receiver:
    """What a merchant's server received."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, str]] = []
        self.refusals = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = 200
                if receiver.refusals:
                    receiver.refusals -= 1
                    status = 500
                else:
                    receiver.received.append((body, self.headers["Stripe-Signature"]))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def events(self) -> list[stripe.Event]:
        return [stripe.Webhook.construct_event(body, signature, SECRET) for body, signature in self.received]

    def types(self) -> Counter[str]:
        return Counter(event.type for event in self.events())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def telling(start_gateway, receiver):
    return start_gateway("--webhook-url", receiver.url, "--webhook-secret", SECRET)


AUTHORIZED = {
    "payment_intent.created": 1,
    "charge.succeeded": 1,
    "payment_intent.amount_capturable_updated": 1,
}


def test_each_event_is_delivered_with_a_signature_that_the_sdk_accepts(telling, receiver, wait_until):
    intent = telling.authorize()

    wait_until(lambda: receiver.types() == AUTHORIZED)

    listed = {event.id: event.to_dict() for event in telling.stripe.v1.events.list().data}
    for event in receiver.events():
        assert event.data.object.object in ("payment_intent", "charge")
        assert {**listed[event.id], "pending_webhooks": 1} == event.to_dict()
    assert intent.id in {event.data.object.id for event in receiver.events()}
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(*receiver.received[0], "whsec_other")


def test_a_receiver_that_fails_is_told_again(telling, receiver, wait_until):
    receiver.refusals = 2

    telling.authorize()

    wait_until(lambda: receiver.types() == AUTHORIZED)


def test_what_was_not_told_is_told_after_a_restart(telling, receiver, wait_until):
    receiver.refusals = 1_000
    telling.authorize()
    telling.kill()
    receiver.refusals = 0
    telling.start()

    wait_until(lambda: set(receiver.types()) == set(AUTHORIZED))


def test_dropped_events_are_listed_and_never_told(telling, receiver, wait_until):
    telling.fault("webhook_drop")
    telling.authorize()
    wait_until(lambda: telling.http.get("/_faults").json()["data"][0]["struck"] == 3)
    telling.http.delete("/_faults")

    telling.intents.list()
    telling.authorize()

    wait_until(lambda: receiver.types() == AUTHORIZED)
    assert len(telling.stripe.v1.events.list().data) == 6


def test_doubled_events_come_twice(telling, receiver, wait_until):
    telling.fault("webhook_twice")

    telling.authorize()

    wait_until(lambda: receiver.types() == dict.fromkeys(AUTHORIZED, 2))


def test_late_and_shuffled_events_come_out_of_order(telling, receiver, wait_until):
    telling.fault("webhook_late", times=1, delay_ms=600)
    telling.fault("webhook_shuffle", delay_ms=100)

    telling.authorize()

    wait_until(lambda: receiver.types() == AUTHORIZED)
    assert receiver.events()[-1].type == "payment_intent.created"
