"""What tests of the cache share: a source whose history is a number, and caches on the real Redis."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from resilience.caching import Lifetime, Loaded, Namespace, Stamp
from resilience.caching.behind import Behind
from resilience.caching.contact import Contact
from resilience.caching.loading import Clock
from resilience.caching.read_through import ReadThrough
from resilience.caching.source import Load, Reading
from resilience.caching.store import Found, Store
from tests.processes import wait_until

THINGS = Namespace(
    name="test", owner="tests", keyed_by=("name",), voided_by=("test.happened",), not_told="", version=1
)
ANYTHING = Stamp(0, 0)
MINUTES = Lifetime(soft_s=10, grace_s=30, hard_s=100)


@dataclass
class Truth:
    """A source: one value, whose version is also the position of its history."""

    version: int = 1
    lifetime: Lifetime | None = MINUTES
    demanded: Stamp | None = ANYTHING
    error: Exception | None = None
    missing: bool = False
    lags_by: int = 0
    fixed: Stamp | None = None
    meanwhile: Callable[[], object] = lambda: None
    loads: int = 0
    at_once: int = 0
    at_once_max: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self) -> Loaded:
        with self._lock:
            self.loads += 1
            self.at_once += 1
            self.at_once_max = max(self.at_once, self.at_once_max)
        version = self.version
        try:
            self.meanwhile()
            if self.error is not None:
                raise self.error
            return Loaded(None if self.missing else str(version).encode(), self.lifetime)
        finally:
            with self._lock:
                self.at_once -= 1

    # What `resilience.caching.source` does, without a database.
    def demand(self) -> Stamp | None:
        return self.demanded

    def read(self, load: Load, *, needed: Stamp) -> Reading:
        stamp = self.fixed or Stamp(1, self.version - self.lags_by)
        return Reading(load(), stamp)

    def read_lagging(self, load: Load) -> Loaded | None:
        return None

    def log_end(self) -> Stamp:
        return self.fixed or Stamp(1, self.version)


@dataclass
class Time:
    """A clock that stands until it is moved; the chance is 1 ("never early") unless told."""

    moment: float = 1_000_000.0
    luck: float = 1.0

    def clock(self) -> Clock:
        return Clock(now=lambda: self.moment, chance=lambda: self.luck)


class CountingStore(Store):
    """Counts how often it is asked."""

    finds = 0

    def find(self, key: str) -> Found:
        found = super().find(key)
        self.finds += 1
        return found


class Process:
    """All of the cache that one process has."""

    def __init__(self, url: str, truth: Truth, *, clock: Clock | None = None) -> None:
        self.behind = Behind()
        self.store = CountingStore(url=url)
        self.contact = Contact(
            store=self.store, behind=self.behind, log_end=truth.log_end, timeline=lambda: 0
        )
        self.truth = truth
        self.clock = clock or Clock()

    def cache(self, namespace: Namespace = THINGS) -> ReadThrough:
        return ReadThrough(namespace, contact=lambda: self.contact, source=self.truth, clock=self.clock)

    def meet(self) -> "Process":
        """Look for Redis until it is there."""
        wait_until(lambda: self.contact.floor() is not None or self.contact.look())
        return self

    def void(self, *keys: str) -> None:
        self.store.void([f"{THINGS.name}:{key}" for key in keys], floor=self.truth.log_end())

    def settle(self) -> None:
        """Wait until nothing is done behind any more."""
        wait_until(lambda: self.behind.is_idle)


@contextmanager
def held() -> Iterator[Callable[[], object]]:
    """Give what a load does meanwhile: it waits for the end of the block."""
    end = threading.Event()
    try:
        yield lambda: end.wait(20)
    finally:
        end.set()


def in_threads(count: int, work: Callable[[int], object]) -> list[object]:
    """Do `work` in so many threads; return what it returned or raised."""
    results: list[object] = [None] * count

    def run(number: int) -> None:
        try:
            results[number] = work(number)
        except Exception as error:  # noqa: BLE001 - the test judges it
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def elapsed_s(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
