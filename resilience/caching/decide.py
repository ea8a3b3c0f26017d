"""What a reader does with what it found in the cache. Pure: the lab runs this very function.

XFetch (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, 2015) moves
the refresh of a busy entry before its expiry by a random time in proportion to what a refresh costs.
By itself it makes two or three refreshes per lifetime; with a lease it makes one, and nobody waits.
"""

import math
from enum import StrEnum

from resilience.caching.envelope import Envelope, Stamp

# 1 is the optimum for exponentially distributed delays; above it refreshes come earlier.
BETA = 1.0


class Decision(StrEnum):
    """FRESH, EARLY, STALE and REFRESHING are answered at once from the envelope; the others are misses."""

    FRESH = "fresh"
    # Fresh, but soon not: ask for the lease and, if it is granted, refresh in the background.
    EARLY = "early"
    # Past `soft`, within `grace`: likewise.
    STALE = "stale"
    # Past `soft`, within `grace`, and somebody holds the lease already.
    REFRESHING = "refreshing"
    # Nothing that may be served: ask for the lease and load.
    MISS = "miss"
    # Nothing that may be served, and somebody who holds the lease is loading it: wait for them.
    WAIT = "wait"
    # What is there must not be kept: load for oneself, without asking anybody.
    BYPASS = "bypass"


def decide(
    envelope: Envelope | None,
    *,
    is_leased: bool,
    needed: Stamp,
    version: int,
    now: float,
    chance: float,
    beta: float = BETA,
) -> Decision:
    """Return what to do. `chance` is uniform in (0, 1]; `needed` is what a value must have seen."""
    if envelope is None or not is_usable(envelope, needed=needed, version=version) or now >= envelope.grace:
        return Decision.WAIT if is_leased else Decision.MISS
    if envelope.passes:
        return Decision.BYPASS
    if now >= envelope.soft:
        return Decision.REFRESHING if is_leased else Decision.STALE
    is_early = now - envelope.cost_s * beta * math.log(chance) >= envelope.soft
    return Decision.EARLY if is_early and not is_leased else Decision.FRESH


def is_usable(envelope: Envelope, *, needed: Stamp, version: int) -> bool:
    """Tell whether the value has seen all that it must have, in a shape that this code reads."""
    return envelope.version == version and envelope.stamp >= needed


def may_stand_in(envelope: Envelope | None, *, needed: Stamp, version: int, now: float) -> bool:
    """Tell whether the value may be served because the source fails, or is asked by too many already."""
    if envelope is None or envelope.passes or now >= envelope.hard:
        return False
    return is_usable(envelope, needed=needed, version=version)
