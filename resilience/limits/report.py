"""What is limited now, over the whole fleet: each process tells, and whoever shows it hears all.

A web process that draws the dashboard knows only itself, and the one that turns clients away is another.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio.client import Pipeline

from resilience import pulse
from resilience.limits.bulkhead import bulkhead_readings
from resilience.limits.process import shedder
from resilience.limits.throttles import throttles
from resilience.pulse import Member

# Counts of a process are told as long as they moved within this; then it has nothing to tell.
LATELY_S = 60.0
# Four beats: enough for a person, and a quarter of the work.
_EVERY_S = 1.0
# Nobody looked for so long: nobody is told.
_LOOKED_WITHIN_S = 10.0
# A process that said nothing for so long has ended, or has nothing to tell any more.
_SILENCE_MS_MAX = 5000
# Throttled keys of one process that are told; the worst first.
_KEYS_TOLD_MAX = 20
_KEY = "hf:limits:reports"
_TELL_AND_HEAR = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], 60000)
if ARGV[3] == '' then return {} end
local reports = {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local at, report = string.match(fields[i + 1], '^(%d+) (.*)$')
  if now - tonumber(at) > SILENCE then redis.call('HDEL', KEYS[1], fields[i])
  else reports[#reports + 1] = report end
end
return reports
""".replace("SILENCE", str(_SILENCE_MS_MAX))


@dataclass(frozen=True)
class ProcessReport:
    """What one process limits. Counts are of the last minute.

    `shed`: requests turned away, by tier and cause (in shadow mode: those that would have been).
    `throttled`: requests refused, by key id. `bulkheads`: `in_flight`, `permits_max` and `refused` of each
    that is full or refused somebody.
    """

    process: str
    mode: str
    wait_s: float
    backlog_s: float
    shed: Mapping[str, int]
    throttled: Mapping[str, int]
    bulkheads: Mapping[str, Mapping[str, int]]

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is limited."""
        return not (self.shed or self.throttled or self.bulkheads)


class Reports(Member):
    """Tells this process's report, and hears those of all while somebody looks."""

    name = "limits-report"

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._heard: list[ProcessReport] | None = None
        self._told_at = self._looked_at = float("-inf")
        self._is_hearing = False
        # What each count was at the last two minute marks, so that a difference is of the last minute or so.
        self._marks: list[tuple[float, dict[str, int]]] = []
        self.forget()

    def fleet(self) -> list[ProcessReport]:
        """Return the reports of all processes that limit something, at most 2 s old; asks nobody.

        The first look hears of this process only, and so does each while Redis is away.
        """
        pulse.ensure_running()
        self._looked_at = self._monotonic()
        if self._heard is not None:
            return self._heard
        own = self._own()
        return [] if own.is_quiet else [own]

    def queue(self, pipeline: Pipeline) -> None:
        """Tell, if there is anything to tell or anybody to hear it."""
        now_s = self._monotonic()
        if now_s - self._told_at < _EVERY_S:
            return
        self._told_at = now_s
        own, is_looked_at = self._own(), now_s - self._looked_at <= _LOOKED_WITHIN_S
        if own.is_quiet and not is_looked_at:
            self._heard = None
            return
        told = "" if own.is_quiet else json.dumps(vars(own))
        pipeline.eval(_TELL_AND_HEAR, 1, _KEY, own.process, told, "1" if is_looked_at else "")
        self._is_hearing = is_looked_at

    def hear(self, replies: Sequence[Any]) -> None:
        """Keep what all told."""
        if self._is_hearing:
            reports = [ProcessReport(**json.loads(report)) for report in replies[0]]
            self._heard = sorted(reports, key=lambda report: report.process)

    def miss_redis(self) -> None:
        """Know of this process only."""
        self._heard = None

    def forget(self) -> None:
        """Begin anew in a forked child."""
        self._lock = threading.Lock()
        self._heard = None
        self._looked_at = self._told_at = float("-inf")
        self._is_hearing = False
        self._marks = []

    def _own(self) -> ProcessReport:
        shedding = shedder.read()
        counts = {f"shed {tier.name} {cause}": count for (tier, cause), count in shedding.shed.items()}
        counts |= {
            f"throttled {reading.key_id}": reading.refused for reading in throttles.read()[:_KEYS_TOLD_MAX]
        }
        bulkheads = bulkhead_readings()
        counts |= {f"bulkhead {reading.name}": reading.rejected for reading in bulkheads}
        lately = self._lately(counts)
        return ProcessReport(
            process=pulse.process_name(),
            mode=shedding.mode.value,
            wait_s=round(shedding.wait_s, 3),
            backlog_s=round(shedding.backlog_s, 1),
            shed=_of("shed ", lately),
            throttled=_of("throttled ", lately),
            bulkheads={
                reading.name: {
                    "in_flight": reading.in_flight,
                    "permits_max": reading.permits_max,
                    "refused": lately.get(f"bulkhead {reading.name}", 0),
                }
                for reading in bulkheads
                if reading.in_flight == reading.permits_max or lately.get(f"bulkhead {reading.name}")
            },
        )

    def _lately(self, counts: dict[str, int]) -> dict[str, int]:
        """Return how much each count grew within the last minute, or two at most."""
        with self._lock:
            now_s = self._monotonic()
            if not self._marks:
                self._marks = [(now_s, {})]
            elif now_s - self._marks[-1][0] >= LATELY_S:
                self._marks = [self._marks[-1], (now_s, counts)]
            before = self._marks[0][1]
        grown = {name: count - before.get(name, 0) for name, count in counts.items()}
        return {name: count for name, count in grown.items() if count > 0}


def _of(prefix: str, counts: Mapping[str, int]) -> dict[str, int]:
    return {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}


reports = Reports()
pulse.join(reports)
