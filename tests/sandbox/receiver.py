"""A merchant's server that takes webhooks, or refuses them."""

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

SECRET = "whsec_test"


class Receiver:
    """What a merchant's server received."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, str]] = []
        self.refusals = 0
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.status
                if receiver.refusals:
                    receiver.refusals -= 1
                    status = 500
                elif status == 200:
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

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


# What an authorization is told by.
AUTHORIZED = {
    "payment_intent.created": 1,
    "charge.succeeded": 1,
    "payment_intent.amount_capturable_updated": 1,
}
