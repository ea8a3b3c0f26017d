"""The cache: one hot key beside its peers, 100,000 races, answers over HTTP, and a Redis that freezes."""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from redis import Redis

from benchmarks.cache_race import race
from benchmarks.stage import FOLDER
from benchmarks.tools.row import Row
from config.stack.ports import LOOPBACK, pick_port
from config.stack.probes import http_answers
from resilience.caching import Lifetime, Loaded, Namespace, Stamp
from resilience.caching.behind import Behind
from resilience.caching.contact import Contact
from resilience.caching.loading import Clock
from resilience.caching.read_through import ReadThrough
from resilience.caching.source import Load, Reading
from resilience.caching.store import Store, default_url

_TTL_S = 2.0
# What a page of a report might cost; a product takes a tenth of it.
_COST_S = 0.02
_PROCESSES, _THREADS = 2, 8
_STAMP = Stamp(1, 1)
_GUNICORN = (sys.executable, "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn")
_HOT = Namespace(name="hot", owner="benchmarks", keyed_by=("name",), voided_by=(), not_told="", version=1)
_LIFETIME = Lifetime(soft_s=_TTL_S, grace_s=2 * _TTL_S, hard_s=60)


def measure(*, short: bool) -> list[Row]:
    """Return the rows."""
    return [
        *_hot_key(seconds=8 if short else 60),
        _races(races=2_000 if short else 100_000),
        *_over_http(seconds=1.0 if short else 5.0, rounds=1 if short else 3),
        _frozen_redis(seconds=1.0 if short else 3.0),
    ]


# --- One hot key -------------------------------------------------------------------------------


class _Source:
    """Costs time, and knows no history."""

    def demand(self) -> Stamp | None:
        return _STAMP

    def read(self, load: Load, *, needed: Stamp) -> Reading:
        return Reading(load(), _STAMP)

    def read_lagging(self, load: Load) -> Loaded | None:
        return None


Read = Callable[[Callable[[], bytes]], object]


def _ours() -> Read:
    contact = Contact(
        store=Store(url=default_url()), behind=Behind(), log_end=lambda: _STAMP, timeline=lambda: 0
    )
    while not contact.look():
        time.sleep(0.01)
    cache = ReadThrough(_HOT, contact=lambda: contact, source=_Source(), clock=Clock())
    return lambda compute: cache.get("hot", lambda: Loaded(compute(), _LIFETIME))


def _dogpile() -> Read:
    from dogpile.cache import make_region

    region = make_region().configure(
        "dogpile.cache.redis",
        expiration_time=_TTL_S,
        arguments={"url": default_url(), "distributed_lock": True, "lock_timeout": 5},
    )
    return lambda compute: region.get_or_create("dogpile:hot", compute)


def _django_redis() -> Read:
    from django.core.cache import cache

    return lambda compute: cache.get_or_set("django:hot", compute, timeout=_TTL_S)


def _plain() -> Read:
    client = Redis.from_url(default_url())

    def read(compute: Callable[[], bytes]) -> object:
        found = client.get("plain:hot")
        if found is None:
            found = compute()
            client.set("plain:hot", found, px=int(_TTL_S * 1000))
        return found

    return read


@dataclass(frozen=True)
class _Hot:
    reads_per_s: float
    loads_per_ttl: float
    waited_ms: float


def _hot_key(*, seconds: float) -> list[Row]:
    peers = {"dogpile.cache": _dogpile, "django-redis get_or_set": _django_redis, "get and set": _plain}
    ours, *others = [_read_hot(make, seconds=seconds) for make in (_ours, *peers.values())]
    named = list(zip(peers, others, strict=True))
    rate = f"{ours.reads_per_s:,.0f} reads/s, {_PROCESSES} processes × {_THREADS} threads"
    return [
        Row(
            claim=f"one hot key ({rate}): loads of {1000 * _COST_S:.0f} ms per TTL of {_TTL_S:g} s",
            ours=f"{ours.loads_per_ttl:.3f}",
            target="≤ 1.05",
            peers=", ".join(f"{name} {peer.loads_per_ttl:.2f}" for name, peer in named),
            holds=ours.loads_per_ttl <= 1.05,
        ),
        Row(
            claim="the slowest read of that key",
            ours=f"{ours.waited_ms:.0f} ms",
            peers=", ".join(f"{name} {peer.waited_ms:.0f} ms" for name, peer in named),
        ),
        Row(
            claim="reads of that key a second",
            ours=f"{ours.reads_per_s:,.0f}",
            peers=", ".join(f"{name} {peer.reads_per_s:,.0f}" for name, peer in named),
        ),
    ]


def _read_hot(make: Callable[[], Read], *, seconds: float) -> _Hot:
    """Read in all threads for so long, and then until the TTL that is under way has been loaded for."""
    Redis.from_url(default_url()).flushdb()
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    crew = [
        context.Process(target=_hot_process, args=(make, seconds, answers)) for _process in range(_PROCESSES)
    ]
    for process in crew:
        process.start()
    seen = [answers.get(timeout=seconds + 60) for _process in crew]
    for process in crew:
        process.join(10)
    reads = sum(each[0] for each in seen)
    loads = sorted(moment for each in seen for moment in each[1])
    # From the first load to the last, the crowd at the first aside: a cold key is another question.
    warm = [moment for moment in loads if moment > loads[0] + _TTL_S / 2]
    lifetimes = (warm[-1] - loads[0]) / _TTL_S
    return _Hot(reads / seconds, len(warm) / lifetimes, 1000 * max(each[2] for each in seen))


def _hot_process(make: Callable[[], Read], seconds: float, answers: Any) -> None:
    read, loads, reads, slowest = make(), [], [0] * _THREADS, [0.0] * _THREADS
    stop_at = time.monotonic() + seconds

    def compute() -> bytes:
        loads.append(time.monotonic())
        time.sleep(_COST_S)
        return b"x" * 500

    def work(slot: int) -> None:
        began = time.monotonic()
        while began < stop_at:
            read(compute)
            ended = time.monotonic()
            # The first seconds are those of connections and of a cold key.
            if ended > stop_at - seconds + 2:
                slowest[slot] = max(slowest[slot], ended - began)
            reads[slot] += 1
            began = ended

    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.2)
    answers.put((sum(reads), loads, max(slowest)))


# --- Races --------------------------------------------------------------------------------------


def _races(*, races: int) -> Row:
    url = default_url()
    Redis.from_url(url).flushdb()
    result = race(url=url, races=races, limit_s=1200)
    return Row(
        claim=f"{result.races:,} loads overtaken by an invalidation ({result.reads:,} reads,"
        f" {result.voids:,} invalidations): reads older than an invalidation before them",
        ours=str(result.stale),
        target="0 in 100,000",
        holds=result.stale == 0 and result.races >= races,
    )


# --- Over HTTP ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Served:
    per_s: float
    cpu_ms: float


def _over_http(*, seconds: float, rounds: int) -> list[Row]:
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
            env={**os.environ, "HOLDFAST_CACHING": str(is_cached)},
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


# --- Without Redis ------------------------------------------------------------------------------


def _frozen_redis(*, seconds: float) -> Row:
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
