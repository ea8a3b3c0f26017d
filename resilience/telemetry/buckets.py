"""The buckets of every histogram: five a decade, from 1 ms to 100 s, the same in every process.

Fixed, so that buckets of different processes and times simply add up. Even on a logarithmic scale, so that
a percentile read from them is as sharp at 2 ms as at 20 s: a bucket ends 58 % (10**0.2) above its beginning.
"""

from bisect import bisect_left
from collections.abc import Sequence

_PER_DECADE = 5
_DECADES = 5
# Upper bounds in seconds, inclusive; behind the last one is one bucket for whatever took longer.
BOUNDS_S: tuple[float, ...] = tuple(
    float(f"{10.0 ** (step / _PER_DECADE - 3):.3g}") for step in range(_DECADES * _PER_DECADE + 1)
)
BUCKETS = len(BOUNDS_S) + 1


def bucket_of(seconds: float) -> int:
    """Return the index of the bucket that `seconds` falls into."""
    return bisect_left(BOUNDS_S, seconds)


def percentile_s(buckets: Sequence[int], fraction: float) -> float | None:
    """Return the value below which `fraction` (0 to 1) of what is in `buckets` lies; None when it is empty.

    Within a bucket values are taken as spread evenly; behind the last bound the answer is that bound.
    """
    total = sum(buckets)
    if not total:
        return None
    wanted = fraction * total
    seen = 0
    for index, count in enumerate(buckets):
        if count and seen + count >= wanted:
            if index == len(BOUNDS_S):
                break
            low_s = BOUNDS_S[index - 1] if index else 0.0
            return low_s + (BOUNDS_S[index] - low_s) * max(0.0, wanted - seen) / count
        seen += count
    return BOUNDS_S[-1]
