"""Clients that place an order over HTTP, wait until it is settled, and place the next."""

import http.client
import json
import threading
import time
from dataclasses import dataclass
from random import Random
from statistics import quantiles

from benchmarks.backlog import CURRENCY, sku
from benchmarks.contenders.holdfast import Holdfast
from benchmarks.stage import FOLDER, Stage
from config.stack import platform
from config.stack.ports import LOOPBACK, pick_port

# A client looks this often whether its order is settled: the finest that a patient client would ask.
_POLL_S = 0.05
_LIMIT_S = 30.0


@dataclass(frozen=True)
class Loop:
    """What all clients saw together; times in milliseconds."""

    clients: int
    orders: int
    seconds: float
    post_ms: list[float]
    settle_ms: list[float]

    @property
    def per_s(self) -> float:
        return self.orders / self.seconds


def percentile(values: list[float], percent: int) -> float:
    """Return the value that `percent` of `values` do not exceed."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def run_clients(*, stage: Stage, api_key: str, clients: int, seconds: float, latency_ms: int) -> Loop:
    """Run `clients` against web, dispatcher and workers for `seconds`. Raises what a client raised."""
    stage.gateway.begin(latency_ms=latency_ms)
    port = pick_port(random=Random())
    web = platform.web_part(folder=FOLDER, port=port, environment=stage.environment)
    with stage.crew(web, *Holdfast().parts(stage)):
        # Short, so that the first requests and the first batch are behind us.
        _together(port, api_key, clients=clients, seconds=min(1.0, seconds))
        started = time.monotonic()
        seen = _together(port, api_key, clients=clients, seconds=seconds)
        elapsed = time.monotonic() - started
    posts = [1000 * post for client in seen for post in client.posts]
    settles = [1000 * settle for client in seen for settle in client.settles]
    return Loop(clients, len(settles), elapsed, posts, settles)


class _Client(threading.Thread):
    """One client with one kept connection."""

    def __init__(self, port: int, api_key: str, *, name: str, until: float) -> None:
        super().__init__(name=name)
        self.posts: list[float] = []
        self.settles: list[float] = []
        self.error: Exception | None = None
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_LIMIT_S)
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._until = until

    def run(self) -> None:
        try:
            while time.monotonic() < self._until:
                self._order()
        except Exception as error:  # noqa: BLE001 - told to whoever joins
            self.error = error
        finally:
            self._connection.close()

    def _order(self) -> None:
        number = len(self.posts)
        body = {
            "customer": {"reference": self.name},
            "currency": CURRENCY,
            "lines": [{"sku": sku(number), "quantity": 1}],
            "payments": [{"method": "pm_card_visa"}],
        }
        started = time.monotonic()
        key = f"{self.name}-{started}-{number}"
        order = self._ask("POST", "/api/v1/orders", 201, json.dumps(body), {"Idempotency-Key": key})
        self.posts.append(time.monotonic() - started)
        while order["status"] == "pending":
            if time.monotonic() > started + _LIMIT_S:
                raise TimeoutError(f"order {order['id']} was not settled in {_LIMIT_S:.0f} s")
            time.sleep(_POLL_S)
            order = self._ask("GET", f"/api/v1/orders/{order['id']}", 200, None, {})
        if order["status"] != "confirmed":
            raise AssertionError(f"order {order['id']} is {order['status']}")
        self.settles.append(time.monotonic() - started)

    def _ask(
        self, method: str, path: str, status: int, body: str | None, headers: dict[str, str]
    ) -> dict[str, str]:
        self._connection.request(method, path, body, {**self._headers, **headers})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != status:
            raise AssertionError(f"{method} {path} answered {answer.status}: {content[:500]!r}")
        order: dict[str, str] = json.loads(content)
        return order


def _together(port: int, api_key: str, *, clients: int, seconds: float) -> list[_Client]:
    until = time.monotonic() + seconds
    crowd = [_Client(port, api_key, name=f"client-{number}", until=until) for number in range(clients)]
    for client in crowd:
        client.start()
    for client in crowd:
        client.join()
    for client in crowd:
        if client.error is not None:
            raise client.error
    return crowd
