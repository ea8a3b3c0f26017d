"""Several threads that take their work from one stream, and stop together."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Generic, TypeVar

from config.replay.errors import StoppedError

Item = TypeVar("Item")


def work_through(
    items: Iterable[Item], *, act: Callable[[Item], None], threads: int, stop: threading.Event
) -> None:
    """Call `act` with each item, on `threads` threads; never more than that many items are in memory.

    The first error (or Ctrl-C) sets `stop`, so that the others end soon, and is raised.
    """
    stream = _Stream(iter(items))

    def work() -> None:
        for item in stream:
            if stop.is_set():
                return
            act(item)

    with ThreadPoolExecutor(threads, thread_name_prefix="replay") as pool:
        try:
            for worker in as_completed([pool.submit(work) for _ in range(threads)]):
                worker.result()
        except BaseException:
            stop.set()
            raise


def paced(
    items: Iterable[Item],
    *,
    rate: float,
    pause: Callable[[float], bool],
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[Item]:
    """Yield `rate` items per second, evenly; after a delay it catches up, so that the average holds.

    Raises StoppedError when `pause` says so.
    """
    started_at = monotonic()
    for position, item in enumerate(items):
        wait_s = started_at + position / rate - monotonic()
        if wait_s > 0 and pause(wait_s):
            raise StoppedError("The replay was stopped.")
        yield item


class _Stream(Generic[Item]):
    """An iterator that several threads may draw from."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        with self._lock:
            return next(self._items)
