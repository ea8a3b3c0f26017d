"""One hot key read by many threads: how often it is loaded, by ours and by its peers."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis

from resilience.caching import Lifetime, Loaded, Namespace, Stamp
from resilience.caching.behind import Behind
from resilience.caching.contact import Contact
from resilience.caching.loading import Clock
from resilience.caching.read_through import ReadThrough
from resilience.caching.source import Load, Reading
from resilience.caching.store import Store, default_url

TTL_S = 2.0
# What an order takes to read. XFetch refreshes earlier the more a load costs: by COST · ln(reads in COST).
COST_S = 0.005
PROCESSES, THREADS = 2, 8
_STAMP = Stamp(1, 1)
_HOT = Namespace(name="hot", owner="benchmarks", keyed_by=("name",), voided_by=(), not_told="", version=1)
_LIFETIME = Lifetime(soft_s=TTL_S, grace_s=2 * TTL_S, hard_s=60)


class _Source:
    """Costs time, and knows no history."""

    def demand(self) -> Stamp | None:
        return _STAMP

    def read(self, load: Load, *, needed: Stamp) -> Reading:
        return Reading(load(), _STAMP)

    def read_lagging(self, load: Load) -> Loaded | None:
        return None


Read = Callable[[Callable[[], bytes]], object]


def ours() -> Read:
    contact = Contact(
        store=Store(url=default_url()), behind=Behind(), log_end=lambda: _STAMP, timeline=lambda: 0
    )
    while not contact.look():
        time.sleep(0.01)
    cache = ReadThrough(_HOT, contact=lambda: contact, source=_Source(), clock=Clock())
    return lambda compute: cache.get("hot", lambda: Loaded(compute(), _LIFETIME))


def dogpile() -> Read:
    from dogpile.cache import make_region

    region = make_region().configure(
        "dogpile.cache.redis",
        expiration_time=TTL_S,
        arguments={
            "url": default_url(),
            "distributed_lock": True,
            "thread_local_lock": False,
            "lock_timeout": 5,
        },
    )
    return lambda compute: region.get_or_create("dogpile:hot", compute)


def django_redis() -> Read:
    from django.core.cache import cache

    return lambda compute: cache.get_or_set("django:hot", compute, timeout=TTL_S)


def plain() -> Read:
    client = Redis.from_url(default_url())

    def read(compute: Callable[[], bytes]) -> object:
        found = client.get("plain:hot")
        if found is None:
            found = compute()
            client.set("plain:hot", found, px=int(TTL_S * 1000))
        return found

    return read


@dataclass(frozen=True)
class Hot:
    """`loads_per_ttl` without those of the cold key; `waited_ms`: the slowest read."""

    reads_per_s: float
    loads_per_ttl: float
    waited_ms: float


def read_hot(make: Callable[[], Read], *, seconds: float) -> Hot:
    """Read in all threads for so long, and then until the TTL that is under way has been loaded for."""
    Redis.from_url(default_url()).flushdb()
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    crew = [
        context.Process(target=_hot_process, args=(make, seconds, answers)) for _process in range(PROCESSES)
    ]
    for process in crew:
        process.start()
    seen = [answers.get(timeout=seconds + 60) for _process in crew]
    for process in crew:
        process.join(10)
    reads = sum(each[0] for each in seen)
    loads = sorted(moment for each in seen for moment in each[1])
    # From the first load to the last, the crowd at the first aside: a cold key is another question.
    warm = [moment for moment in loads if moment > loads[0] + TTL_S / 2]
    lifetimes = (warm[-1] - loads[0]) / TTL_S
    return Hot(reads / seconds, len(warm) / lifetimes, 1000 * max(each[2] for each in seen))


def _hot_process(make: Callable[[], Read], seconds: float, answers: Any) -> None:
    read, loads, reads, slowest = make(), [], [0] * THREADS, [0.0] * THREADS
    stop_at = time.monotonic() + seconds

    def compute() -> bytes:
        loads.append(time.monotonic())
        time.sleep(COST_S)
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

    threads = [threading.Thread(target=work, args=(slot,)) for slot in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(0.2)
    answers.put((sum(reads), loads, max(slowest)))
