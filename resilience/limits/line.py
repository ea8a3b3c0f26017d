"""A line of requests that wait for a thread, and how long a newcomer would wait in it."""

import threading
import time
from collections import deque
from collections.abc import Callable

from resilience.limits.shedding import mean_s

# A pace that was last seen so long ago tells nothing: where nobody has stood behind anybody since, there was
# room. Halved, requests that take a second each teach nothing; doubled, a server that hung goes on refusing.
_PACE_HOLDS_S = 2.0


class Line:
    """First come, first served. Thread-safe; each `join` is followed by one `leave`."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._joined_at: deque[float] = deque()
        # When the last one left, if others stood behind it: only then does the next one tell the pace.
        self._left_at: float | None = None
        self._between_s = 0.0
        self._paced_at = 0.0

    def join(self) -> None:
        """Stand behind the others."""
        with self._lock:
            self._joined_at.append(self._monotonic())

    def leave(self) -> None:
        """The first one is being served."""
        with self._lock:
            now_s = self._monotonic()
            if self._left_at is not None:
                self._between_s = mean_s(self._between_s, now_s - self._left_at)
                self._paced_at = now_s
            self._joined_at.popleft()
            self._left_at = now_s if self._joined_at else None

    def wait_s(self) -> float:
        """Return how long a newcomer would wait: the others at their pace, and no less than the first has.

        The second is what shows when nobody is served at all.
        """
        with self._lock:
            if not self._joined_at:
                return 0.0
            now_s = self._monotonic()
            if now_s - self._paced_at > _PACE_HOLDS_S:
                self._between_s = 0.0
            return max(len(self._joined_at) * self._between_s, now_s - self._joined_at[0])

    def __len__(self) -> int:
        return len(self._joined_at)
