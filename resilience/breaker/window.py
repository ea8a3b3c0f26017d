"""How many calls ended, failed and were slow in the last ten seconds: a ring of one-second buckets."""

from dataclasses import dataclass

BUCKETS = 10
BUCKET_S = 1.0


@dataclass(frozen=True)
class Count:
    """Calls of a window. `total` are those that ended, and those that are out for too long already."""

    started: int = 0
    total: int = 0
    failed: int = 0
    slow: int = 0


class Window:
    """Not thread-safe: its owner holds a lock. Times are seconds of one clock that never goes back."""

    def __init__(self) -> None:
        self._buckets = [[0, 0, 0, 0] for _ in range(BUCKETS)]
        self._seconds = [-1] * BUCKETS

    def add(self, now: float, *, started: int = 0, total: int = 0, failed: int = 0, slow: int = 0) -> None:
        """Count what happened at `now`."""
        bucket = self.bucket(now)
        bucket[0] += started
        bucket[1] += total
        bucket[2] += failed
        bucket[3] += slow

    def bucket(self, now: float) -> list[int]:
        """Return the counts [started, total, failed, slow] of the second `now`, to be added to."""
        second = int(now)
        index = second % BUCKETS
        if self._seconds[index] != second:
            self._seconds[index] = second
            self._buckets[index] = [0, 0, 0, 0]
        return self._buckets[index]

    def count(self, now: float) -> Count:
        """Return the sum over the window that ends at `now`."""
        oldest = int(now) - BUCKETS
        live = [
            bucket
            for second, bucket in zip(self._seconds, self._buckets, strict=True)
            if oldest < second <= int(now)
        ]
        return Count(*(sum(column) for column in zip(*live, strict=True))) if live else Count()

    def clear(self) -> None:
        """Forget all."""
        self._seconds = [-1] * BUCKETS
