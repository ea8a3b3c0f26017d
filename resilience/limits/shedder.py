"""The shedder of this process: its lines, the verdict on each request, and what was turned away.

No verdict asks the network: the lines are this process's own, and the sagas' backlog comes over the pulse.
"""

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from resilience import pulse
from resilience.limits.backlog import backlog
from resilience.limits.line import Line
from resilience.limits.shedding import Cause, Tier, chance
from resilience.telemetry import counter

logger = logging.getLogger(__name__)

# Turned away together and told the same time, clients would come back together. What is less important
# may wait longer.
RETRY_AFTER_S: Mapping[Tier, tuple[int, int]] = {
    Tier.MONEY: (1, 3),
    Tier.CHECKOUT: (1, 5),
    Tier.READ: (2, 8),
    Tier.LIST: (5, 15),
    Tier.REPORT: (10, 30),
}
# So long without anybody turned away ends an overload; the next one is logged again.
QUIET_S = 60.0


class Mode(StrEnum):
    """ON turns away; SHADOW only counts who would have been; OFF does neither."""

    ON = "on"
    SHADOW = "shadow"
    OFF = "off"


@dataclass(frozen=True)
class Shed:
    """A verdict: this request is turned away."""

    tier: Tier
    cause: Cause
    retry_after_s: int


@dataclass(frozen=True)
class ShedderReading:
    """The shedder at a moment. Counts are since the process began; in shadow, `shed` would have been.

    `wait_s`: how long a newcomer would wait for a thread; `backlog_s`: how long the oldest sagas have been
    due; `shed_at`: when (by the clock) the last one was turned away.
    """

    mode: Mode
    wait_s: float
    backlog_s: float
    came: Mapping[Tier, int]
    shed: Mapping[tuple[Tier, Cause], int]
    shed_at: float | None


class Shedder:
    """Judges requests. Thread-safe; a forked child begins anew."""

    def __init__(
        self,
        *,
        mode: Mode,
        random: Random,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        backlog_s: Callable[[], float] = lambda: backlog.age_s,
    ) -> None:
        self.mode = mode
        self._random = random
        self._monotonic = monotonic
        self._clock = clock
        self._backlog_s = backlog_s
        self._shed_at: float | None = None
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)

    def line_of(self, tier: Tier) -> Line:
        """Return the line in which requests of `tier` wait for a thread."""
        return self._money if tier is Tier.MONEY else self._others

    def judge(self, tier: Tier, *, waited_s: float = 0.0) -> Shed | None:
        """Return how a request that comes now is turned away; None: it is let in.

        `waited_s` is what it has behind it where no line of ours knows of it, say at a proxy.
        """
        if self.mode is Mode.OFF:
            return None
        pulse.ensure_running()
        wait_s = waited_s + self.line_of(tier).wait_s()
        at = chance(tier, wait_s=wait_s, backlog_s=self._backlog_s())
        with self._counting:
            self._came[tier] += 1
            if not at.share or self._random.random() >= at.share:
                return None
            self._note_shed(tier, at.cause, wait_s)
        if self.mode is Mode.SHADOW:
            return None
        return Shed(tier, at.cause, self._random.randint(*RETRY_AFTER_S[tier]))

    def read(self) -> ShedderReading:
        """Return what the dashboard shows."""
        with self._counting:
            return ShedderReading(
                mode=self.mode,
                wait_s=self._others.wait_s(),
                backlog_s=self._backlog_s(),
                came=dict(self._came),
                shed=dict(self._shed),
                shed_at=self._shed_at,
            )

    def _note_shed(self, tier: Tier, cause: Cause, wait_s: float) -> None:
        self._shed[tier, cause] += 1
        counter("requests_shed_total", tier=tier.name, cause=cause, mode=self.mode).add(1)
        before, self._shed_at = self._shed_at, self._clock()
        if before is None or self._shed_at - before > QUIET_S:
            logger.warning(
                "Requests are turned away: more comes than this process can do.",
                extra={"tier": tier.name, "cause": cause, "wait_s": round(wait_s, 3), "mode": self.mode},
            )

    def _begin_anew(self) -> None:
        self._counting = threading.Lock()
        self._money = Line(monotonic=self._monotonic)
        self._others = Line(monotonic=self._monotonic)
        self._came: Counter[Tier] = Counter()
        self._shed: Counter[tuple[Tier, Cause]] = Counter()
        self._shed_at = None
