"""One hot key runs out: how many rebuild it, and who waits meanwhile?

Readers come at random at one rate, and each is told what to do by the read-through's own `decide`: every rule
here is that function with something taken away. A rebuild takes its time, give or take a tenth, and gives the
entry another TTL. Whoever must wait is answered when the next rebuild ends.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from resilience.caching.decide import Decision, decide
from resilience.caching.envelope import Envelope, Stamp

# A rebuild takes its mean time, up to this share more or less.
REBUILD_SPREAD = 0.1
# `random()` has 53 bits, so that no draw is below 2**-53: further before its expiry than this many rebuild
# times an entry is certainly fresh, and the readers of that time need not be simulated.
REBUILDS_EARLY_MAX = 53.0 * math.log(2.0)

_VERSION = 1
_STAMP = Stamp(1, 1)


@dataclass(frozen=True)
class Rule:
    """What of the read-through is on: early refresh (`beta`, 0: none), one rebuild at a time, a grace."""

    beta: float
    is_single_flight: bool
    grace_s: float


@dataclass(frozen=True)
class Load:
    """One key and its readers, for this many TTLs."""

    reads_per_s: float
    ttl_s: float
    rebuild_s: float
    ttls: int


@dataclass(frozen=True)
class Rush:
    """What one key cost per TTL, and the most rebuilds that ran at once.

    `running` says, at each change, when and how many rebuilds ran from then on.
    """

    rebuilds: float
    at_once_max: int
    waited: float
    got_stale: float
    running: tuple[tuple[float, int], ...]


@dataclass
class _Key:
    """The entry, and the rebuilds that run: when each ends, and how long it takes."""

    load: Load
    rule: Rule
    random: Random
    entry: Envelope
    ends: list[tuple[float, float]] = field(default_factory=list)
    running: list[tuple[float, int]] = field(default_factory=list)
    rebuilds: int = 0

    def finish_until(self, now_s: float) -> None:
        """Store what has been rebuilt by now."""
        while self.ends and self.ends[0][0] <= now_s:
            ended_s, cost_s = heapq.heappop(self.ends)
            self.entry = _entry(ended_s, cost_s, self.load, self.rule)
            self.running.append((ended_s, len(self.ends)))

    def begin(self, now_s: float) -> None:
        """Start a rebuild."""
        cost_s = self.load.rebuild_s * self.random.uniform(1.0 - REBUILD_SPREAD, 1.0 + REBUILD_SPREAD)
        heapq.heappush(self.ends, (now_s + cost_s, cost_s))
        self.running.append((now_s, len(self.ends)))
        self.rebuilds += 1

    def decide(self, now_s: float) -> Decision:
        """Ask the read-through. Without single flight, nobody sees that another rebuilds."""
        return decide(
            self.entry,
            is_leased=self.rule.is_single_flight and bool(self.ends),
            needed=_STAMP,
            version=_VERSION,
            now=now_s,
            # In (0, 1], as the function asks.
            chance=1.0 - self.random.random(),
            beta=self.rule.beta,
        )


def rush(*, load: Load, rule: Rule, random: Random) -> Rush:
    """Let everyone read and return what it cost."""
    key = _Key(load, rule, random, _entry(0.0, load.rebuild_s, load, rule))
    waited = got_stale = 0
    for now_s in _reads(key):
        key.finish_until(now_s)
        match key.decide(now_s):
            case Decision.EARLY:
                key.begin(now_s)
            case Decision.STALE:
                key.begin(now_s)
                got_stale += 1
            case Decision.REFRESHING:
                got_stale += 1
            case Decision.MISS:
                key.begin(now_s)
                waited += 1
            case Decision.WAIT:
                waited += 1
            case Decision.FRESH:
                pass
    return Rush(
        rebuilds=key.rebuilds / load.ttls,
        at_once_max=max((count for _, count in key.running), default=0),
        waited=waited / load.ttls,
        got_stale=got_stale / load.ttls,
        running=tuple(key.running),
    )


def _reads(key: _Key) -> Iterator[float]:
    """Yield when each reader comes, without those who certainly find the entry fresh.

    It ends half a TTL after the last expiry that counts, because the first half saw none.
    """
    load = key.load
    now_s = 0.0
    while True:
        if not key.ends:
            now_s = max(now_s, key.entry.soft - REBUILDS_EARLY_MAX * key.rule.beta * key.entry.cost_s)
        now_s += key.random.expovariate(load.reads_per_s)
        if now_s >= (load.ttls + 0.5) * load.ttl_s:
            return
        yield now_s


def _entry(created_s: float, cost_s: float, load: Load, rule: Rule) -> Envelope:
    soft_s = created_s + load.ttl_s
    grace_s = soft_s + rule.grace_s
    return Envelope(b"", created_s, cost_s, soft_s, grace_s, grace_s, _VERSION, _STAMP)
