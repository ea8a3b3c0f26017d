"""Invalidations against slow loads: many readers and writers on few keys, in several processes.

A writer changes the truth, voids the entry, and then notes what is void. A reader notes what is void,
reads through the cache, and must get nothing older. Each value carries the same stamp, so that the leases
alone have to keep stale values out. `race()` needs the real Redis and no database.
"""

import multiprocessing
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawArray
from typing import Any

from resilience.caching import Lifetime, Loaded, Namespace, Stamp
from resilience.caching.behind import Behind
from resilience.caching.contact import Contact
from resilience.caching.loading import Clock
from resilience.caching.read_through import ReadThrough
from resilience.caching.source import Load, Reading
from resilience.caching.store import Store

KEYS = 4
_RACED = Namespace(
    name="race",
    owner="benchmarks",
    keyed_by=("number",),
    voided_by=(),
    not_told="",
    version=1,
    lease_s=0.25,
    misses_max=16,
    local_entries_max=1,
)
_MINUTE = Lifetime(60, 60, 60)
_STAMP = Stamp(1, 1)
# A load takes up to this; a writer comes about as often, so that most loads are overtaken.
_LOAD_S_MAX = 0.006

# It is about leases: a busy machine must not make a process lose Redis, and answer by itself.
PATIENT_S = 10.0

MakeStore = Callable[[str], Store]


@dataclass(frozen=True)
class Result:
    """`races`: loads during which the entry was voided. `stale`: reads older than what was void before."""

    reads: int
    loads: int
    voids: int
    races: int
    stale: int
    seconds: float


class _Numbers:
    """What the processes share: per key what is true and what is void, and each worker's counts."""

    def __init__(self, workers: int) -> None:
        self.truth: Any = RawArray("q", KEYS)
        self.void: Any = RawArray("q", KEYS)
        self.counts: Any = [RawArray("q", workers) for _field in range(5)]
        self.ready: Any = multiprocessing.Value("i", 0)
        self.stop: Any = RawArray("b", 1)


class _Source:
    def demand(self) -> Stamp | None:
        return _STAMP

    def read(self, load: Load, *, needed: Stamp) -> Reading:
        return Reading(load(), _STAMP)

    def read_lagging(self, load: Load) -> Loaded | None:
        return None


def race(
    *,
    url: str,
    races: int,
    readers: int = 3,
    threads: int = 4,
    limit_s: float = 600.0,
    make_store: MakeStore = lambda url: Store(url=url, timeout_s=PATIENT_S),
) -> Result:
    """Race until so many loads were overtaken by an invalidation, or for `limit_s`."""
    context = multiprocessing.get_context("fork")
    numbers = _Numbers(readers * threads + 1)
    workers = [
        context.Process(target=_read, args=(url, numbers, range(first, first + threads), make_store))
        for first in range(0, readers * threads, threads)
    ]
    workers.append(context.Process(target=_write, args=(url, numbers, readers * threads, make_store)))
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    try:
        while sum(numbers.counts[2]) < races and time.perf_counter() - began < limit_s:
            if any(worker.exitcode for worker in workers):
                raise RuntimeError("a worker of the race ended")
            time.sleep(0.05)
    finally:
        numbers.stop[0] = 1
        for worker in workers:
            worker.join(10)
            worker.kill()
    reads, loads, raced, stale, voids = (sum(counts) for counts in numbers.counts)
    return Result(reads, loads, voids, raced, stale, time.perf_counter() - began)


def _contact(url: str, make_store: MakeStore) -> Contact:
    store = make_store(url)
    contact = Contact(store=store, behind=Behind(), log_end=lambda: _STAMP, timeline=lambda: 0)
    while not contact.look():
        time.sleep(0.01)
    return contact


def _read(url: str, numbers: _Numbers, slots: range, make_store: MakeStore) -> None:
    contact = _contact(url, make_store)
    cache = ReadThrough(_RACED, contact=lambda: contact, source=_Source(), clock=Clock())
    threads = [threading.Thread(target=_reader, args=(cache, numbers, slot)) for slot in slots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _reader(cache: ReadThrough, numbers: _Numbers, slot: int) -> None:
    chance = random.Random(slot)
    reads, loads, raced, stale, _voids = numbers.counts
    while not numbers.stop[0]:
        key = chance.randrange(KEYS)

        def load(key: int = key) -> Loaded:
            version, void = numbers.truth[key], numbers.void[key]
            time.sleep(chance.uniform(0, _LOAD_S_MAX))
            loads[slot] += 1
            raced[slot] += numbers.void[key] != void
            return Loaded(str(version).encode(), _MINUTE)

        void = numbers.void[key]
        body = cache.get(_RACED.key(key), load)
        stale[slot] += body is None or int(body) < void
        reads[slot] += 1


def _write(url: str, numbers: _Numbers, slot: int, make_store: MakeStore) -> None:
    store, chance = _contact(url, make_store).store, random.Random(slot)
    while not numbers.stop[0]:
        key = chance.randrange(KEYS)
        version = numbers.truth[key] + 1
        numbers.truth[key] = version
        store.void([f"{_RACED.name}:{_RACED.key(key)}"], floor=_STAMP)
        numbers.void[key] = version
        numbers.counts[4][slot] += 1
        time.sleep(chance.uniform(0, _LOAD_S_MAX / KEYS / 4))
