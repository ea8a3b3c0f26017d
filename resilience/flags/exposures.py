"""How units fared with and without a flag: counted in memory, written by the pulse."""

import threading
import time
from collections import defaultdict
from dataclasses import dataclass

from resilience import pulse
from resilience.pulse import Member, Query

# Once in so many seconds a process writes what it counted; the guard looks every few seconds.
WRITE_EVERY_S = 2.0

_WRITE = """
    INSERT INTO resilience_flag_exposure AS known (flag, version, is_on, units, failed, slow, last_at)
    SELECT flag, version, is_on, units, failed, slow, now()
    FROM unnest(%s::text[], %s::text[], %s::bool[], %s::bigint[], %s::bigint[], %s::bigint[])
        AS counted (flag, version, is_on, units, failed, slow)
    ORDER BY flag, version, is_on
    ON CONFLICT (flag, version, is_on) DO UPDATE
    SET units = known.units + excluded.units, failed = known.failed + excluded.failed,
        slow = known.slow + excluded.slow, last_at = excluded.last_at
"""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What one unit got of a flag. `version` "": nobody compares, and nothing is counted."""

    flag: str
    version: str
    is_on: bool
    slow_after_s: float = 0.0

    def done(self, *, failed: bool, took_s: float) -> None:
        """Say how the unit fared."""
        if self.version:
            _counts.add(self, failed=failed, slow=took_s > self.slow_after_s)


class ExposureCounts(Member):
    """Counts by flag, version and variant; gives them away every `WRITE_EVERY_S`.

    While the database is away they are kept: few numbers a flag. One write whose commit is not known may be
    counted twice.
    """

    name = "flag-exposures"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str, bool], list[int]] = defaultdict(lambda: [0, 0, 0])
        self._leaving: dict[tuple[str, str, bool], list[int]] = {}
        self._written_at = time.monotonic()

    def add(self, exposure: Exposure, *, failed: bool, slow: bool) -> None:
        """Count one unit."""
        with self._lock:
            counts = self._counts[exposure.flag, exposure.version, exposure.is_on]
            counts[0] += 1
            counts[1] += failed
            counts[2] += slow

    def write(self) -> Query | None:
        """Give what was counted, or once more what was not known to be written."""
        if time.monotonic() - self._written_at < WRITE_EVERY_S:
            return None
        self._written_at = time.monotonic()
        if not self._leaving:
            with self._lock:
                self._leaving = dict(self._counts)
                self._counts.clear()
        if not self._leaving:
            return None
        keys = list(self._leaving)
        flags, versions, variants = zip(*keys, strict=True)
        units, failed, slow = zip(*(self._leaving[key] for key in keys), strict=True)
        columns = (flags, versions, variants, units, failed, slow)
        return Query(_WRITE, tuple(list(column) for column in columns))

    def written(self) -> None:
        """Forget what was given away."""
        self._leaving = {}

    def forget(self) -> None:
        """Leave the parent's counts to the parent."""
        self.__init__()  # type: ignore[misc]


_counts = ExposureCounts()
pulse.join(_counts)
