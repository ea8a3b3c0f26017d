"""So many reads at a time in a process, and a clear word for the others."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings

from resilience.errors import Operational

# A read takes some milliseconds, so many share a permit; who waits longer than this is too many.
WAIT_S_MAX = 0.25
RETRY_AFTER_S = 1


class ReadsOverloadedError(Operational):
    """The replica is away, and the primary answers as many of its reads already as it may."""

    code = "reads_overloaded"


class Permits:
    """At most `size` blocks at a time; `full` makes the error for one that waited in vain. 0: no limit."""

    def __init__(self, *, size: int, full: Callable[[], Operational], wait_s_max: float = WAIT_S_MAX) -> None:
        self._size = size
        self._full = full
        self._wait_s_max = wait_s_max
        self._free = threading.BoundedSemaphore(max(1, size))

    @contextmanager
    def permit(self) -> Iterator[None]:
        """Let the block run, at once or after a short wait; raises what `full` makes."""
        if not self._size:
            yield
            return
        if not self._free.acquire(timeout=self._wait_s_max):
            raise self._full()
        try:
            yield
        finally:
            self._free.release()


def _overloaded() -> Operational:
    return ReadsOverloadedError(
        "The replica is away, and the primary has no room for its reads. Try again.",
        retry_after_s=RETRY_AFTER_S,
    )


# Reads of the replica that the primary answers instead. The danger: the replica dies, all its reads go to
# the primary at once, and orders wait behind them. Without a replica every read is the primary's own.
fallback_reads = Permits(size=settings.FALLBACK_READS_MAX if settings.HAS_REPLICA else 0, full=_overloaded)
