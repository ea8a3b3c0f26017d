"""The cache: one hot key beside its peers, 100,000 races, answers over HTTP, and a Redis that freezes."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis

from benchmarks.cache_over_http import frozen_redis, over_http
from benchmarks.cache_race import race
from benchmarks.tools.row import Row
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
_HOT = Namespace(name="hot", owner="benchmarks", keyed_by=("name",), voided_by=(), not_told="", version=1)
_LIFETIME = Lifetime(soft_s=_TTL_S, grace_s=2 * _TTL_S, hard_s=60)


def measure(*, short: bool) -> list[Row]:
    """Return the rows."""
    return [
        *_hot_key(seconds=8 if short else 60),
        _races(races=2_000 if short else 100_000),
        *over_http(seconds=1.0 if short else 5.0, rounds=1 if short else 3),
        frozen_redis(seconds=1.0 if short else 3.0),
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
