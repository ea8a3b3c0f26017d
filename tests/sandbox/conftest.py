"""The sandbox as its own process, driven over HTTP by the official SDK. No Django, no database."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.receiver import SECRET, Receiver

SECRET_KEY = "sk_test_sandbox"
# A machine that is shared stands still for seconds.
WAIT_S = 30.0
_ROOT = Path(__file__).resolve().parents[2]


class Gateway:
    """One running sandbox, its book, and clients for it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.book = folder / "book.sqlite3"
        self.log = folder / "sandbox.log"
        self.options = options
        self.start()

    def start(self) -> None:
        """Start the process on a free port and wait until it is ready."""
        command = [sys.executable, "-m", "payments.sandbox", "--port", "0", "--book", str(self.book)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--secret-key", SECRET_KEY, *self.options], cwd=_ROOT, stderr=log
            )
        self.url = until(self._address)
        self.http = httpx.Client(base_url=self.url, timeout=WAIT_S)
        until(lambda: self.http.get("/_health").status_code == 200)
        self.stripe = self.client()
        self.intents = self.stripe.v1.payment_intents
        self.refunds = self.stripe.v1.refunds

    def client(self, *, key: str = SECRET_KEY, timeout_s: float = WAIT_S) -> stripe.StripeClient:
        """Return an SDK client that never retries and does not wait longer than `timeout_s`."""
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout_s),
        )

    def authorize(self, **changes: Any) -> stripe.PaymentIntent:
        """Create and confirm a manual capture of EUR 12.99 on a visa."""
        options = changes.pop("options", {})
        params = {
            "amount": 1299,
            "currency": "eur",
            "capture_method": "manual",
            "confirm": True,
            "payment_method": "pm_card_visa",
        }
        return self.intents.create({**params, **changes}, options)

    def do(self, path: str, **body: Any) -> dict[str, Any]:
        """Do something that is not Stripe's API; return the answer."""
        answer = self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def events_of(self, *ids: str) -> list[str]:
        """Return the types of the events about these objects, oldest first."""
        events = self.stripe.v1.events.list({"limit": 100}).data
        return [event.type for event in reversed(events) if event.data.object.id in ids]

    def fault(self, fault: str, **fields: Any) -> dict[str, Any]:
        """Set a fault."""
        answer = self.http.post("/_faults", json={"fault": fault, **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def configure(self, **settings: Any) -> dict[str, Any]:
        """Change settings; return all of them."""
        answer = self.http.post("/_config", json=settings)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def deliveries(self, event_id: str | None = None) -> list[dict[str, Any]]:
        """Return the attempts to tell about an event (or all), newest first."""
        params = {} if event_id is None else {"event": event_id}
        return self.http.get("/_webhooks/deliveries", params=params).json()["data"]

    def summary(self, order_id: str | None = None) -> dict[str, Any]:
        """Return the book's sums."""
        params = {} if order_id is None else {"order_id": order_id}
        return self.http.get("/_book/summary", params=params).json()

    def requests(self, order_id: str) -> list[dict[str, Any]]:
        """Return the logged requests about an order, newest first."""
        return self.http.get("/_book/requests", params={"order_id": order_id}).json()["data"]

    def stop(self) -> int:
        """Ask the process to end; return its exit status."""
        self.http.close()
        self.process.terminate()
        return self.process.wait(WAIT_S)

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.http.close()
        self.process.kill()
        self.process.wait(WAIT_S)

    def _address(self) -> str | None:
        assert self.process.poll() is None, self.log.read_text()
        match = re.search(r"serving on (\S+)", self.log.read_text())
        return match and match[1]


def until(condition: Callable[[], Any], *, limit_s: float = WAIT_S) -> Any:
    """Return the first true value of `condition`; fail after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), "--seed", "7")
    yield gateway
    gateway.stop()


@pytest.fixture
def gateway(shared_gateway: Gateway) -> Iterator[Gateway]:
    """The session's sandbox, healthy before and after each test."""
    settings = shared_gateway.http.get("/_config").json()
    yield shared_gateway
    shared_gateway.http.delete("/_faults")
    shared_gateway.configure(**settings)


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Start sandboxes of one's own, with options; they share one book and end with the test."""
    started: list[Gateway] = []

    def start(*options: str) -> Gateway:
        started.append(Gateway(tmp_path, *options))
        return started[-1]

    yield start
    for gateway in started:
        if gateway.process.poll() is None:
            gateway.kill()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def telling(start_gateway: Callable[..., Gateway], receiver: Receiver) -> Gateway:
    """A sandbox that tells `receiver` about its events."""
    return start_gateway("--webhook-url", receiver.url, "--webhook-secret", SECRET)


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    return until
