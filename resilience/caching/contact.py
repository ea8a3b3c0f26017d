"""Whether Redis is there for this process, and what everything read from it must have seen.

The danger: Redis comes back with what it had, and an invalidation that it missed meanwhile is forgotten.
So a process that (re)gains Redis asks the primary where its log ends *now*, and from then on believes
only values that have seen as much: nothing that was stored before the gap, unless it was loaded again.
"""

import logging
import random
import threading
import time
from collections.abc import Callable

import django.db

from resilience.caching.behind import Behind
from resilience.caching.envelope import Stamp
from resilience.caching.errors import CacheAwayError
from resilience.caching.store import Store

logger = logging.getLogger(__name__)

# The first look after a loss comes soon, since most losses are one slow moment.
_WAIT_FIRST_S = 0.25
# Beyond it, a Redis that is back is not noticed; a look costs no request anything.
_WAIT_MAX_S = 2.0
# A contact that lasted for less was none: the wait goes on growing.
_STEADY_S = 5.0


class Contact:
    """Reading `floor` is free. Looking for a lost Redis is done behind, never by a request."""

    def __init__(
        self,
        *,
        store: Store,
        behind: Behind,
        log_end: Callable[[], Stamp],
        timeline: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.behind = behind
        self.log_end = log_end
        self._timeline = timeline
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._floor: Stamp | None = None
        self._met_at = 0.0
        self._look_at = 0.0
        self._wait_s = _WAIT_FIRST_S

    def floor(self) -> Stamp | None:
        """Return what a value from Redis must have seen; None while Redis is not to be asked."""
        floor = self._floor
        if floor is not None:
            # A promotion may have lost what values were read from.
            if self._timeline() <= floor.timeline:
                return floor
            self.lose("the primary is another")
        if self._monotonic() >= self._look_at:
            self.behind.submit("look for redis", self.look)
        return None

    def lose(self, reason: object) -> None:
        """Ask Redis for nothing until it was met again."""
        with self._lock:
            if self._floor is None:
                return
            self._floor = None
            is_steady = self._monotonic() - self._met_at >= _STEADY_S
            self._wait_s = _WAIT_FIRST_S if is_steady else min(2 * self._wait_s, _WAIT_MAX_S)
            self._put_off()
        logger.warning("The cache is left out.", extra={"reason": str(reason), "wait_s": self._wait_s})

    def look(self) -> bool:
        """Try to meet Redis, and the primary to know from when on it is believed; tell whether it worked."""
        # One at a time: else the older of two floors could be the one that stays.
        with self._looking:
            return self._look()

    def _look(self) -> bool:
        with self._lock:
            if self._floor is not None:
                return True
            self._put_off()
        try:
            # First the server, then the floor: one that restarts in between is another, and not believed.
            self.store.meet()
            floor = self.log_end()
            self.store.lay(ground=floor)
        except (CacheAwayError, django.db.Error):
            with self._lock:
                self._wait_s = min(2 * self._wait_s, _WAIT_MAX_S)
                self._put_off()
            return False
        with self._lock:
            self._floor, self._met_at = floor, self._monotonic()
        return True

    def _put_off(self) -> None:
        # Jitter: the processes that lost Redis together need not come back together.
        self._look_at = self._monotonic() + self._wait_s * random.uniform(0.75, 1.25)
