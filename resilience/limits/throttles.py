"""The buckets of this process, settled with the fleet's over the pulse.

What a beat says is idempotent: totals, not differences. A frozen Redis carries out, when it thaws, what it
was told meanwhile and gave no answer to; differences would be counted again and again, and lock clients out.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis.asyncio.client import Pipeline

from resilience import pulse
from resilience.limits.bucket import Allowance, Bucket, Limit
from resilience.pulse import Member

# A process that was not asked for a key for so long has no share of it. Halved, shares jump for a client that
# asks once a second; doubled, a process that the client has left keeps half of its rate.
ASKED_WITHIN_S = 2.0
# Unheard for so long, a process is on its own, and reports nothing of that time later.
ALONE_AFTER_S = 2.0
# About 1 MB. Beyond it, the bucket that was not asked for longest is forgotten: its client may begin anew.
KEYS_MAX = 2000
# Keys told in one beat, in turn: one command of some 60 kB.
KEYS_PER_BEAT_MAX = 500
# The fleet forgets a process that reported nothing for so long.
_FORGOTTEN_AFTER_MS = 60_000

# What is reported was spent within this; what came in it counts before the bucket is full, so that a small
# burst at a high rate loses nothing.
_BEAT_MS = round(pulse.INTERVAL_S * 1000)

# For each key: per second, burst, who tells, total, settled. The server's clock: those of machines differ.
_SETTLE = (
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers = {}
for i, key in ipairs(KEYS) do
  local a = (i - 1) * 5
  local per_s, burst, teller = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]), ARGV[a + 3]
  local total, told = tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5])
  local left, at, sharers = burst, now, 1
  local fields = redis.call('HGETALL', key)
  for j = 1, #fields, 2 do
    local name, value = fields[j], fields[j + 1]
    if name == 'left' then left = tonumber(value)
    elseif name == 'at' then at = tonumber(value)
    else
      local seen, counted = string.match(value, '^(%d+):(%d+)$')
      local silent = now - tonumber(seen)
      if name == teller then told = math.max(told, tonumber(counted))
      elseif silent > FORGOTTEN or silent < -ASKED then redis.call('HDEL', key, name)
      elseif silent <= ASKED then sharers = sharers + 1 end
    end
  end
  -- Another server, or its clock set back: what passed is not known, and nobody owes it.
  local passed = math.max(0, now - at)
  local before, lately = math.max(0, passed - BEAT) / 1000, math.min(passed, BEAT) / 1000
  left = math.min(burst, left + before * per_s)
  left = math.min(burst, left + lately * per_s - math.max(0, total - told))
  redis.call('HSET', key, 'left', left, 'at', now, teller, now .. ':' .. math.max(total, told))
  redis.call('PEXPIRE', key, math.ceil((burst - left) / per_s * 1000) + FORGOTTEN)
  answers[#answers + 1] = string.format('%.3f', left)
  answers[#answers + 1] = sharers
end
return answers
""".replace("FORGOTTEN", str(_FORGOTTEN_AFTER_MS))
    .replace("BEAT", str(_BEAT_MS))
    .replace("ASKED", str(round(ASKED_WITHIN_S * 1000)))
)


@dataclass(frozen=True)
class ThrottleReading:
    """A key that this process refuses, or refused lately: `refused` requests since it knows the key."""

    key_id: UUID
    limit: Limit
    refused: int


@dataclass
class _Kept:
    bucket: Bucket
    teller: str


class Throttles(Member):
    """Every key's bucket. Thread-safe; a forked child begins anew."""

    name = "throttles"

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._made = 0
        self._telling: list[UUID] = []
        self._alone_since: float | None = None
        self.forget()

    def take(self, key_id: UUID, limit: Limit) -> Allowance:
        """Take one of what `key_id` may have, if there is one; asks nobody."""
        pulse.ensure_running()
        with self._lock:
            now_s = self._monotonic()
            kept = self._kept.get(key_id)
            if kept is None or (kept.bucket.limit is not limit and kept.bucket.limit != limit):
                kept = self._make(key_id, limit, now_s)
            return kept.bucket.take(now_s=now_s)

    def read(self) -> list[ThrottleReading]:
        """Return the keys that were refused something, those refused most first."""
        with self._lock:
            refused = [
                ThrottleReading(key_id, kept.bucket.limit, kept.bucket.refused)
                for key_id, kept in self._kept.items()
                if kept.bucket.refused
            ]
        return sorted(refused, key=lambda reading: -reading.refused)

    def queue(self, pipeline: Pipeline) -> None:
        """Report what was spent."""
        with self._lock:
            now_s = self._monotonic()
            if self._alone_since is not None and now_s - self._alone_since > ALONE_AFTER_S:
                for kept in self._kept.values():
                    kept.bucket.write_off()
            self._telling = self._to_tell(now_s)
            arguments: list[str] = []
            for key_id in self._telling:
                kept = self._kept[key_id]
                limit, report = kept.bucket.limit, kept.bucket.report()
                arguments += [
                    repr(limit.per_s), str(limit.burst), kept.teller, str(report.total), str(report.settled),
                ]  # fmt: skip
        if self._telling:
            keys = [f"hf:throttle:{key_id}" for key_id in self._telling]
            pipeline.eval(_SETTLE, len(keys), *keys, *arguments)
        else:
            # So that whoever hears nothing knows that it is heard.
            pipeline.ping()

    def hear(self, replies: Sequence[Any]) -> None:
        """Learn what the fleet has left."""
        with self._lock:
            now_s, self._alone_since = self._monotonic(), None
            if not self._telling:
                return
            lefts, sharers = replies[0][::2], replies[0][1::2]
            for key_id, left, sharing in zip(self._telling, lefts, sharers, strict=True):
                if kept := self._kept.get(key_id):
                    kept.bucket.settle(left=float(left), sharers=int(sharing), now_s=now_s)

    def miss_redis(self) -> None:
        """Go on with the share known last."""
        with self._lock:
            if self._alone_since is None:
                self._alone_since = self._monotonic()

    def forget(self) -> None:
        """Begin anew in a forked child."""
        self._lock = threading.Lock()
        self._kept: dict[UUID, _Kept] = {}
        self._telling = []
        self._alone_since = None

    def _make(self, key_id: UUID, limit: Limit, now_s: float) -> _Kept:
        if key_id not in self._kept and len(self._kept) >= KEYS_MAX:
            del self._kept[min(self._kept, key=lambda known: self._kept[known].bucket.asked_at)]
        self._made += 1
        kept = self._kept[key_id] = _Kept(Bucket(limit, now_s=now_s), f"{pulse.process_name()}:{self._made}")
        return kept

    def _to_tell(self, now_s: float) -> list[UUID]:
        """Return the keys that have something to report; forget those that would lose nothing by it."""
        telling: list[UUID] = []
        for key_id, kept in list(self._kept.items()):
            is_asked = now_s - kept.bucket.asked_at <= ASKED_WITHIN_S
            if not is_asked and kept.bucket.is_full(now_s=now_s):
                del self._kept[key_id]
            elif (is_asked or not kept.bucket.is_settled()) and len(telling) < KEYS_PER_BEAT_MAX:
                telling.append(key_id)
        for key_id in telling:  # behind those that had no turn
            self._kept[key_id] = self._kept.pop(key_id)
        return telling


throttles = Throttles()
pulse.join(throttles)
