"""What this process does and remembers by itself: its own copies, its own loads, and their number."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from resilience.caching.envelope import Envelope, Stamp
from resilience.caching.errors import MissesQueuedError

# A reader waits this long for its turn to load; longer, and it would rather be told to come back.
_TURN_S = 2.0


class Copies:
    """Envelopes that this process has met, each with when; the oldest go first."""

    def __init__(self, *, entries_max: int) -> None:
        self._entries_max = entries_max
        self._entries: dict[str, tuple[float, Envelope]] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> tuple[float, Envelope] | None:
        """Return when the copy was made, and the copy."""
        return self._entries.get(key)

    def put(self, key: str, envelope: Envelope, *, now: float) -> None:
        """Keep a copy."""
        if not self._entries_max:
            return
        with self._lock:
            self._entries.pop(key, None)
            if len(self._entries) >= self._entries_max:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = (now, envelope)

    def drop_older(self, key: str, *, than: Stamp) -> None:
        """Forget a copy that has not seen so much."""
        with self._lock:
            if (copy := self._entries.get(key)) is not None and copy[1].stamp < than:
                del self._entries[key]

    def drop(self, key: str) -> None:
        """Forget a copy."""
        with self._lock:
            self._entries.pop(key, None)


@dataclass
class Flight:
    """A load under way in this process. `token` is its lease, b"" without Redis."""

    token: bytes
    needed: Stamp
    landed: threading.Event = field(default_factory=threading.Event)
    envelope: Envelope | None = None
    error: Exception | None = None


class Flights:
    """The loads under way, by key: others of this process wait for one instead of asking Redis again."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> Flight | None:
        """Return the load of `key` that is under way here."""
        return self._flights.get(key)

    def begin(self, key: str, *, token: bytes, needed: Stamp) -> Flight:
        """Let others know of a load that is permitted already, by a lease."""
        flight = Flight(token, needed)
        with self._lock:
            self._flights[key] = flight
        return flight

    def begin_or_join(self, key: str, *, needed: Stamp) -> tuple[Flight, bool]:
        """Return the load of `key` that sees enough, and whether it is the caller's to make."""
        with self._lock:
            known = self._flights.get(key)
            if known is not None and known.needed >= needed:
                return known, False
            flight = self._flights[key] = Flight(b"", needed)
            return flight, True

    def end(self, key: str, flight: Flight) -> None:
        """Wake those who wait."""
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]
        flight.landed.set()


class Turns:
    """At most so many loads at once: a cold or lost cache must not become a crowd at the database."""

    def __init__(self, *, misses_max: int, turn_s: float = _TURN_S) -> None:
        self._free = threading.BoundedSemaphore(misses_max)
        self._turn_s = turn_s

    @contextmanager
    def one(self, *, wait: bool = True) -> Iterator[None]:
        """Load inside this block. Raises MissesQueuedError when no turn comes in time."""
        if not self._free.acquire(blocking=wait, timeout=self._turn_s if wait else None):
            raise MissesQueuedError("Too many answers are being prepared. Ask again.", retry_after_s=1.0)
        try:
            yield
        finally:
            self._free.release()
