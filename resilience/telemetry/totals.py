"""The fleet's totals as this process knows them: asked for on the pulse when somebody wants them.

The danger: a scraper reaches now this process and now that one. Were each to answer from a memory of its
own while the database is away, counters would seem to fall, and Prometheus takes a fall for a restart and
counts everything once more. So what one process read last is shared over Redis, and the newer one is told.
"""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio.client import Pipeline

from resilience import pulse
from resilience.pulse import Member, Query

# A beat and its limit, for each of the two that may be asked. Prometheus gives up after 10 s by default.
DATABASE_WAIT_S = 1.5
REDIS_WAIT_S = 0.8
# A gauge that nobody has set for this long is not known; whoever sampled it has died.
GAUGE_AGE_S_MAX = 60.0
# With the number of its layout, for two releases may live side by side.
_KEY = "hf:telemetry:totals:1"
_KEPT_S = 24 * 3600


@dataclass(frozen=True)
class Row:
    """One series as `MetricTotal` has it; `age_s`: since it moved, when it was read."""

    metric: str
    labels: Mapping[str, str]
    value: float
    count: int
    total: float
    buckets: Sequence[int] | None
    age_s: float


@dataclass(frozen=True)
class Totals:
    """All series, read at `read_at` (seconds since 1970 by the database's clock)."""

    rows: Sequence[Row]
    read_at: float


class TotalsReader(Member):
    """Asks the primary for the totals when `read` wants them, and Redis when it does not answer.

    The primary, because a replica that lags would let counters fall.
    """

    name = "telemetry totals"
    # Readers that came; of them, those that the last question was for, and those that need not wait longer.
    _asks: int
    _asked: int
    _tried: int
    _missed: bool
    _wants_shared: bool
    _queued_get: bool
    _known: dict[str, Any] | None
    _to_share: str | None

    def __init__(self) -> None:
        self.forget()

    def read(self) -> Totals | None:
        """Return the newest totals to be had now, waiting some seconds at most; None: none were ever read."""
        with self._changed:
            self._asks += 1
            mine = self._asks
            if not self._changed.wait_for(lambda: self._tried >= mine, DATABASE_WAIT_S) or self._missed:
                self._wants_shared = True
                self._changed.wait_for(lambda: not self._wants_shared, REDIS_WAIT_S)
            found = self._known
        return None if found is None else _parsed(found)

    def question(self, alias: str) -> Query | None:
        """Ask only if somebody waits."""
        if alias != "default" or self._asks == self._tried:
            return None
        self._asked = self._asks
        return Query(_READ)

    def answer(self, alias: str, value: Any, asked_at: float) -> None:
        """Keep what the primary says, and share it."""
        with self._changed:
            self._keep(json.loads(value))
            self._to_share = value
            self._tried, self._missed = self._asked, False
            self._changed.notify_all()

    def miss_database(self, alias: str) -> None:
        """Let nobody wait longer for the primary."""
        if alias == "default":
            with self._changed:
                self._tried, self._missed = self._asks, True
                self._changed.notify_all()

    def queue(self, pipeline: Pipeline) -> None:
        """Share what was read, or ask for what others read."""
        self._queued_get = False
        if self._to_share is not None:
            pipeline.set(_KEY, self._to_share, ex=_KEPT_S)
            self._to_share = None
        elif self._wants_shared:
            self._queued_get = True
            pipeline.get(_KEY)

    def hear(self, replies: Sequence[Any]) -> None:
        """Keep what another process read, if it is newer."""
        if self._queued_get:
            with self._changed:
                if replies[0] is not None:
                    self._keep(json.loads(replies[0]))
                self._wants_shared = False
                self._changed.notify_all()

    def miss_redis(self) -> None:
        """Let nobody wait longer for Redis either."""
        with self._changed:
            self._wants_shared = False
            self._changed.notify_all()

    def forget(self) -> None:
        """Begin anew: whoever waited does not live in a child."""
        self._changed = threading.Condition()
        self._known = self._to_share = None
        self._asks = self._asked = self._tried = 0
        self._missed = self._wants_shared = self._queued_get = False

    def _keep(self, found: dict[str, Any]) -> None:
        if self._known is None or found["read_at"] > self._known["read_at"]:
            self._known = found


def _parsed(found: dict[str, Any]) -> Totals:
    return Totals([Row(*row) for row in found["rows"] or ()], found["read_at"])


_READ = """
SELECT jsonb_build_object(
    'read_at', extract(epoch FROM clock_timestamp())::float8,
    'rows', (SELECT jsonb_agg(jsonb_build_array(
                 metric, labels, value, count, total, buckets,
                 extract(epoch FROM clock_timestamp() - at)::float8) ORDER BY metric, labels)
             FROM resilience_metric_total))::text
"""

_reader = TotalsReader()
pulse.join(_reader)


def read_totals() -> Totals | None:
    """Return the newest totals of the fleet to be had now; None: none were ever read."""
    pulse.ensure_running()
    return _reader.read()


def age_s(totals: Totals) -> float:
    """Return how long ago `totals` were read, as far as this machine's clock is that of the database."""
    return max(0.0, time.time() - totals.read_at)
