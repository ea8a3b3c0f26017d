"""Hands on what this process counted: every ten seconds, on the pulse, never on a request.

While the database is away, slots are kept; beyond `SLOTS_MAX` the oldest are put together, so that what was
counted is right though its time is not. What a process had not handed on when it was killed is lost:
`SLOT_S + SPREAD_S_MAX` seconds at most.
"""

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from random import Random

from resilience import pulse
from resilience.pulse import Member, Query
from resilience.telemetry import memory, otel
from resilience.telemetry.batch import SLOT_S, Batch, Slot, merged, writable
from resilience.telemetry.touch import counter

logger = logging.getLogger(__name__)

# Ten minutes of an outage are kept in their slots, in some 100 kB for each hundred series.
SLOTS_MAX = 60
# What one statement carries, so that the first one after an outage fits into a beat.
BATCH_SLOTS_MAX = 6
# Processes close their slots together (charts want that), and hand them on one after the other.
SPREAD_S_MAX = 5.0
# A batch that was refused is tried again so much later: a table may be missing for as long as a deploy lasts.
_TRY_AGAIN_S = 2.0
_AT_END_LIMIT_S = 2.0


class Flusher(Member):
    """The part of the pulse that writes. It does nothing until `begin`."""

    name = "telemetry"
    _sent: Batch | None
    _sequence: int
    _next_at: float

    def __init__(
        self,
        *,
        random: Random,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._random = random
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._has_begun = False
        self._start_afresh()

    def begin(self) -> None:
        """Hand on from now on what is counted; what was counted before goes with it."""
        with self._lock:
            self._has_begun = True

    def write(self) -> Query | None:
        """Return the next batch once it is time for it: the same one until it is known to be committed."""
        with self._lock:
            if not self._has_begun:
                return None
            self._close_slot(self._clock())
            now = self._monotonic()
            if now < self._next_at:
                return None
            if self._sent is None and self._slots:
                self._sequence += 1
                slots = [self._slots.popleft() for _ in range(min(BATCH_SLOTS_MAX, len(self._slots)))]
                self._sent = Batch(pulse.process_name(), self._sequence, slots)
            if self._sent is None:
                return None
            self._next_at = now + _TRY_AGAIN_S
            return self._sent.query()

    def written(self) -> None:
        """The batch is committed; if more wait, they follow at the next beat."""
        with self._lock:
            self._sent = None
            self._next_at = self._monotonic()

    def miss_database(self, alias: str) -> None:
        """Keep what was counted in its slot."""
        if alias == "default":
            with self._lock:
                if self._has_begun:
                    self._close_slot(self._clock())

    def forget(self) -> None:
        """In a forked child: what the parent has not handed on is the parent's."""
        self._lock = threading.Lock()
        self._start_afresh()

    def hurry(self) -> bool:
        """Let everything go with the next beat; tell whether there is something to wait for."""
        with self._lock:
            if not self._has_begun:
                return False
            self._close(int(self._clock()) // SLOT_S * SLOT_S)
            self._next_at = 0.0
            return bool(self._slots or self._sent)

    def _start_afresh(self) -> None:
        self._slots: deque[Slot] = deque()
        self._sent = None
        self._sequence = 0
        self._next_at = 0.0
        self._open_at = int(self._clock()) // SLOT_S * SLOT_S

    def _close_slot(self, now: float) -> None:
        """Take what was counted, if a new slot has begun."""
        current = int(now) // SLOT_S * SLOT_S
        if current == self._open_at:
            return
        # A clock that was set back closes a slot, too: its time is wrong by what the clock was.
        self._close(self._open_at)
        self._open_at = current
        if self._sent is None:
            self._next_at = self._monotonic() + self._random.uniform(0.0, SPREAD_S_MAX)

    def _close(self, at: int) -> None:
        deltas = writable(memory.take())
        if deltas:
            self._slots.append(Slot(at, deltas))
        if len(self._slots) > SLOTS_MAX:
            oldest, next_oldest = self._slots.popleft(), self._slots.popleft()
            self._slots.appendleft(Slot(next_oldest.at, merged([*oldest.deltas, *next_oldest.deltas])))
            counter("telemetry_slots_merged_total").add(1)


_flusher = Flusher(random=Random())
pulse.join(_flusher)


def begin() -> None:
    """Let this process hand on what it counts, from now on and when it ends.

    Every process that lives long calls it. One that forks calls it in the child again, to start its pulse.
    """
    _flusher.begin()
    otel.configure()
    pulse.ensure_running()


def flush(*, limit_s: float = _AT_END_LIMIT_S) -> None:
    """Hand on at once what was counted, as far as the database takes it within `limit_s`."""
    deadline = time.monotonic() + limit_s
    while _flusher.hurry() and time.monotonic() < deadline:
        pulse.wait_for_turn("default", after=time.monotonic(), limit_s=deadline - time.monotonic())


# Registered after the pulse's own, hence called before it.
atexit.register(flush)
