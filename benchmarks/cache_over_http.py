"""Cached answers over HTTP beside uncached ones, and beside themselves while Redis is frozen."""

import http.client
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from redis import Redis

from benchmarks.stage import FOLDER
from benchmarks.tools.row import Row
from config.stack.ports import LOOPBACK, pick_port
from config.stack.probes import http_answers
from resilience.caching.store import default_url

_GUNICORN = (sys.executable, "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn")
# One client asks as much as it can; how much it may is another benchmark.
_UNLIMITED = {
    "HOLDFAST_THROTTLE_PER_S": "1000000",
    "HOLDFAST_THROTTLE_BURST": "1000000",
    "HOLDFAST_SHEDDER": "off",
}


@dataclass(frozen=True)
class _Served:
    per_s: float
    cpu_ms: float


def over_http(*, seconds: float, rounds: int) -> list[Row]:
    """Return how much cheaper an answer from the cache is."""
    key, order_id, sku = _prepare()
    paths = {
        "GET /orders/{id}, settled": f"/api/v1/orders/{order_id}",
        "GET /products/{sku}": f"/api/v1/products/{sku}",
    }
    served: dict[tuple[str, bool], list[_Served]] = {}
    for _round in range(rounds):
        for is_cached in (False, True):
            with _web(is_cached=is_cached) as (port, pid):
                for name, path in paths.items():
                    _ask(port, key, path, seconds=1.0)
                    cpu_s = _cpu_s(pid)
                    answers = _ask(port, key, path, seconds=seconds)
                    cpu_ms = 1000 * (_cpu_s(pid) - cpu_s) / answers
                    served.setdefault((name, is_cached), []).append(_Served(answers / seconds, cpu_ms))
    return [_compared(name, served[name, False], served[name, True]) for name in paths]


def _compared(name: str, uncached: list[_Served], cached: list[_Served]) -> Row:
    def median(field: str, rounds: list[_Served]) -> float:
        return statistics.median(getattr(one, field) for one in rounds)

    rates = median("per_s", cached), median("per_s", uncached)
    costs = median("cpu_ms", cached), median("cpu_ms", uncached)
    return Row(
        claim=f"{name} over HTTP, one web process: answers a second, and CPU of each, cached to not",
        ours=f"{rates[0] / rates[1]:.1f}× ({rates[0]:,.0f} to {rates[1]:,.0f} a second),"
        f" {costs[1] / costs[0]:.1f}× less CPU ({costs[0]:.2f} to {costs[1]:.2f} ms)",
    )


def _cpu_s(master: int) -> float:
    """Return the CPU that the web processes below `master` have used."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in children]
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


def _prepare() -> tuple[str, str, str]:
    from orders.models import Order
    from orders.services.adjust_stock import adjust_stock
    from orders.services.place_order import LineDraft, OrderDraft, PaymentDraft, place_order
    from orders.services.put_product import put_product
    from resilience import clock
    from resilience.apikeys.keys import issue_key

    now, sku = clock.now(), "CACHED"
    _key, plaintext = issue_key(client="bench", name="bench", permissions=["orders.read"], now=now)
    put_product(sku=sku, name="A cup", price_minor=1000, currency="EUR", now=now)
    adjust_stock(sku=sku, by=10)
    draft = OrderDraft(
        customer_reference="somebody",
        customer_email="",
        currency="EUR",
        lines=(LineDraft(sku, 1),),
        payments=(PaymentDraft("pm_card_visa"),),
        shipping_minor=0,
        metadata={},
    )
    order = place_order(client="bench", draft=draft, now=now).order
    Order.objects.filter(pk=order.id).update(status="cancelled", settled_at=now)
    return plaintext, str(order.id), sku


@contextmanager
def _web(*, is_cached: bool) -> Iterator[tuple[int, int]]:
    port = pick_port(random=Random())
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [*_GUNICORN, "--workers", "1", "--bind", f"{LOOPBACK}:{port}"],
            cwd=FOLDER,
            env={**os.environ, **_UNLIMITED, "HOLDFAST_CACHING": str(is_cached)},
            stderr=log,
        )
        try:
            answers, deadline = http_answers(port, "/livez"), time.monotonic() + 20
            while not answers() and time.monotonic() < deadline:
                time.sleep(0.05)
            yield port, server.pid
        finally:
            server.terminate()
            server.wait(20)


def _ask(port: int, key: str, path: str, *, seconds: float, clients: int = 4) -> int:
    """Return how many answers `clients` on kept connections get."""
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    crew = [
        context.Process(target=_ask_process, args=(port, key, path, seconds, answers))
        for _client in range(clients)
    ]
    for process in crew:
        process.start()
    total: int = sum(answers.get(timeout=seconds + 60) for _client in crew)
    for process in crew:
        process.join(10)
    return total


def _ask_process(port: int, key: str, path: str, seconds: float, answers: Any) -> None:
    connection, count = http.client.HTTPConnection(LOOPBACK, port, timeout=10), 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        document = answer.read()
        assert answer.status == 200, document
        count += 1
    json.loads(document)
    answers.put(count)


def frozen_redis(*, seconds: float) -> Row:
    """Read with Redis there, then with Redis frozen; the second after the freeze does not count."""
    key, _order_id, sku = _prepare()
    pid = Redis.from_url(default_url()).info("server")["process_id"]
    path = f"/api/v1/products/{sku}"
    with _web(is_cached=True) as (port, _pid):
        _timed(port, key, path, seconds=1.0)
        before = _timed(port, key, path, seconds=seconds)
        os.kill(pid, signal.SIGSTOP)
        try:
            _timed(port, key, path, seconds=1.0)
            after = _timed(port, key, path, seconds=seconds)
        finally:
            os.kill(pid, signal.SIGCONT)
    rise_ms = _p99_ms(after) - _p99_ms(before)
    return Row(
        claim="Redis frozen (SIGSTOP) under reads: rise of p99 of GET /products/{sku} after 1 s",
        ours=f"{rise_ms:+.1f} ms (p99 {_p99_ms(before):.1f} → {_p99_ms(after):.1f} ms, no error)",
        target="≤ 50 ms",
        holds=rise_ms <= 50,
    )


def _p99_ms(times: list[float]) -> float:
    return 1000 * statistics.quantiles(times, n=100)[98]


def _timed(port: int, key: str, path: str, *, seconds: float) -> list[float]:
    times: list[float] = []

    def client() -> None:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
        deadline = time.monotonic() + seconds
        while (began := time.monotonic()) < deadline:
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            times.append(time.monotonic() - began)
            time.sleep(0.005)

    threads = [threading.Thread(target=client) for _client in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times
