"""How many may be at a dependency at once, so that a slow one cannot take every thread.

The danger: one dependency hangs, each caller waits out its time limit, and soon all threads of the process
wait for that one; what needs only the others stands still too. So each dependency has permits of its own.
"""

import os
import threading
from dataclasses import dataclass
from types import TracebackType
from weakref import WeakValueDictionary

from resilience.limits.errors import BulkheadFull

# What a refused caller is told when its bulkhead knows nothing better: longer than most calls hold a permit.
RETRY_AFTER_S = 1.0


@dataclass(frozen=True)
class BulkheadReading:
    """A bulkhead at a moment; `rejected` counts since this process began."""

    name: str
    permits_max: int
    in_flight: int
    waiting: int
    rejected: int


class _Taken:
    """Who holds permits. A forked child has one of its own: the holders are its parent's threads."""

    __slots__ = ("freed", "in_flight", "lock", "rejected", "waiting")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.freed = threading.Condition(self.lock)
        self.in_flight = 0
        self.waiting = 0
        self.rejected = 0


class Bulkhead:
    """Permits of one dependency in this process, shared by its threads.

    `wait_s_max` is how long a caller may wait for a permit; without it, a full bulkhead refuses at once.
    `waiting_max` is how many may wait, each with its thread; None: all.
    `retry_after_s` is what a refused caller is told.
    """

    def __init__(
        self,
        name: str,
        permits_max: int,
        wait_s_max: float = 0.0,
        *,
        waiting_max: int | None = None,
        retry_after_s: float = RETRY_AFTER_S,
    ) -> None:
        """Make and register a bulkhead; raises ValueError for a name in use or a limit that is none."""
        if permits_max < 1:
            raise ValueError(f"bulkhead {name!r} needs at least one permit, not {permits_max}")
        if wait_s_max < 0:
            raise ValueError(f"bulkhead {name!r} cannot wait {wait_s_max} s")
        self.name = name
        self.permits_max = permits_max
        self.wait_s_max = wait_s_max
        self.waiting_max = waiting_max
        self.retry_after_s = retry_after_s
        self._taken = _Taken()
        with _registering:
            if name in _bulkheads:
                raise ValueError(f"two bulkheads are called {name!r}")
            _bulkheads[name] = self

    def permit(self) -> "_Permit":
        """Return a context that holds one permit; entering it raises BulkheadFull when none is free."""
        return _Permit(self)

    @property
    def in_flight(self) -> int:
        """How many permits are taken."""
        return self._taken.in_flight

    @property
    def rejected(self) -> int:
        """How many callers were refused since this process began."""
        return self._taken.rejected

    def read(self) -> BulkheadReading:
        """Return what the dashboard shows."""
        taken = self._taken
        with taken.lock:
            return BulkheadReading(
                self.name, self.permits_max, taken.in_flight, taken.waiting, taken.rejected
            )

    def _take(self) -> _Taken:
        taken = self._taken
        with taken.lock:
            if taken.in_flight >= self.permits_max and not self._wait(taken):
                taken.rejected += 1
                raise BulkheadFull(
                    bulkhead=self.name, permits_max=self.permits_max, retry_after_s=self.retry_after_s
                )
            taken.in_flight += 1
        return taken

    def _wait(self, taken: _Taken) -> bool:
        if not self.wait_s_max or (self.waiting_max is not None and taken.waiting >= self.waiting_max):
            return False
        taken.waiting += 1
        try:
            return taken.freed.wait_for(lambda: taken.in_flight < self.permits_max, self.wait_s_max)
        finally:
            taken.waiting -= 1

    def _begin_anew(self) -> None:
        self._taken = _Taken()


class _Permit:
    """One permit; entered once."""

    __slots__ = ("_bulkhead", "_taken")

    def __init__(self, bulkhead: Bulkhead) -> None:
        self._bulkhead = bulkhead

    def __enter__(self) -> None:
        self._taken = self._bulkhead._take()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Given back where it was taken: a fork in between has given this process other permits.
        taken = self._taken
        with taken.lock:
            taken.in_flight -= 1
            if taken.waiting:
                taken.freed.notify()


_registering = threading.Lock()
_bulkheads: WeakValueDictionary[str, Bulkhead] = WeakValueDictionary()


def bulkhead_readings() -> list[BulkheadReading]:
    """Return every bulkhead of this process, by name."""
    with _registering:
        bulkheads = list(_bulkheads.values())
    return sorted((bulkhead.read() for bulkhead in bulkheads), key=lambda reading: reading.name)


def _begin_anew() -> None:
    """In a forked child: a lock may have been held by a thread that does not exist here."""
    global _registering
    _registering = threading.Lock()
    for bulkhead in list(_bulkheads.values()):
        bulkhead._begin_anew()


os.register_at_fork(after_in_child=_begin_anew)
