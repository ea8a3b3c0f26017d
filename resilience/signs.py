"""Signs of life: who did its work lately, told by having done it, not by being there.

The danger: a worker that lives, answers a ping, and takes no message any more (celery #8030, #10205). So a
worker gives a sign for each message that it takes, and the dispatcher for each round that it made.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio.client import Pipeline

from resilience import pulse
from resilience.pulse import Member

_SIGNS, _BLIND = "hf:health:signs", "hf:health:blind"
# A process that gave no sign for this long is forgotten.
_FORGOTTEN_MS = 600_000
# Whoever could not see a part lately; as long as a process counts as living.
_BLIND_MS = 2_000
# The server's clock: those of the machines differ.
_TELL = """
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 5, #ARGV do redis.call('ZADD', KEYS[1], now_ms, ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms - ARGV[1])
if ARGV[4] == '1' then
    redis.call('ZADD', KEYS[2], now_ms, ARGV[3])
else
    redis.call('ZREM', KEYS[2], ARGV[3])
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now_ms - ARGV[2])
return {now_ms, redis.call('ZCARD', KEYS[2]), redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
"""


@dataclass(frozen=True)
class Sign:
    """When a process last did the work of `role`: `age_s` seconds before the last beat."""

    role: str
    process: str
    age_s: float


class Signs(Member):
    """Tells this process's signs at each beat, and hears everybody's."""

    name = "signs"

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._lock = threading.Lock()
        self._given: set[str] = set()
        self._telling: set[str] = set()
        self._heard: tuple[Sign, ...] = ()
        self._heard_at: float | None = None
        self.is_blind = False
        self.blind_count = 0

    def give(self, role: str) -> None:
        """Say that this process just did the work of `role`; as cheap as adding to a set."""
        with self._lock:
            self._given.add(role)

    def all_signs(self) -> tuple[Sign, ...] | None:
        """Return the last sign of each process and role; None while Redis is away."""
        return self._heard if self._heard_at is not None else None

    def age_s(self, role: str) -> float | None:
        """Return how long ago anybody last did the work of `role`; None: not known, or never."""
        if self._heard_at is None:
            return None
        ages = [sign.age_s for sign in self._heard if sign.role == role]
        return min(ages) + self._monotonic() - self._heard_at if ages else None

    def queue(self, pipeline: Pipeline) -> None:
        """Tell what was done since the last beat, and whether this process sees what it needs."""
        with self._lock:
            self._telling |= self._given
            self._given = set()
        process = pulse.process_name()
        signs = [f"{role}|{process}" for role in sorted(self._telling)]
        flags = [_FORGOTTEN_MS, _BLIND_MS, process, int(self.is_blind)]
        pipeline.eval(_TELL, 2, _SIGNS, _BLIND, *map(str, flags), *signs)

    def hear(self, replies: Sequence[Any]) -> None:
        """Take in everybody's signs."""
        now_ms, self.blind_count, pairs = replies[0]
        self._telling = set()
        self._heard = tuple(
            _read_sign(name.decode(), age_s=max(0.0, (now_ms - float(at_ms)) / 1000))
            for name, at_ms in zip(pairs[::2], pairs[1::2], strict=True)
        )
        self._heard_at = self._monotonic()

    def miss_redis(self) -> None:
        """Know of nobody else; what was not told is told later."""
        self._heard_at = None
        self.blind_count = 0


signs = Signs()
pulse.join(signs)


def _read_sign(name: str, *, age_s: float) -> Sign:
    role, _, process = name.partition("|")
    return Sign(role, process, age_s)


def give_sign(role: str) -> None:
    """Say that this process just did the work of `role`."""
    pulse.ensure_running()
    signs.give(role)
