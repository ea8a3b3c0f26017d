"""Where values come from: reads of PostgreSQL, each with how much of its history it has seen.

The danger: an entry is voided, its next reader asks a replica that lags, and the old value is stored
anew. So a load names what it must have seen, read routing finds a server that has, and the value
carries a stamp: a log position that its server had surely reached before it was read.
"""

from collections.abc import Callable
from dataclasses import dataclass

import django.db
from django.conf import settings
from django.db import connections

from resilience.caching.envelope import Stamp
from resilience.caching.lifetime import Lifetime
from resilience.errors import Operational
from resilience.routing import (
    CausalityToken,
    capture_token,
    current_scope,
    primary_state,
    replica_reads,
    replica_state,
)
from resilience.routing.databases import PRIMARY, REPLICA
from resilience.routing.tokens import NEVER_REPLAYED

# After these an older value may stand in. A refusal ("there is no such order") is an answer, no failure.
FAILURES = (django.db.Error, Operational, OSError)


@dataclass(frozen=True)
class Loaded:
    """What a source answers. `body` None: there is none. `lifetime` None: it must not be kept."""

    body: bytes | None
    lifetime: Lifetime | None


Load = Callable[[], Loaded]


@dataclass(frozen=True)
class Reading:
    """What was loaded, and what it has seen at least."""

    loaded: Loaded
    stamp: Stamp


def demand() -> Stamp | None:
    """Return what a value must have seen to be read here; None where no cache may answer.

    None inside a transaction (its own writes are in no cache, and what it reads may never be committed),
    and in a scope that stays with the primary, because it wrote or wanted to.
    """
    if not settings.CACHING or connections[PRIMARY].in_atomic_block:
        return None
    scope = current_scope()
    if scope is None:
        return Stamp(0, 0)
    if scope.database == PRIMARY or NEVER_REPLAYED in scope.tokens:
        return None
    if len({token.timeline for token in scope.tokens}) > 1:
        # Positions of two timelines do not compare: only the primary can satisfy both.
        return None
    return max((Stamp(token.timeline, token.position) for token in scope.tokens), default=Stamp(0, 0))


def read(load: Load, *, needed: Stamp) -> Reading:
    """Load from a server that has seen `needed`."""
    replica, primary = replica_state(), primary_state()
    if needed.timeline == 0 and replica is not None:
        # Nothing in particular is needed; so that it is known what was seen.
        needed = Stamp(replica.timeline, replica.position)
    with replica_reads(token=CausalityToken(needed.timeline, needed.position)) as scope:
        if scope.choose_database() == REPLICA:
            stamp = needed
            if replica is not None and replica.timeline == needed.timeline:
                stamp = max(needed, Stamp(replica.timeline, replica.position))
        elif primary is not None and (primary.timeline, primary.position) >= needed:
            stamp = Stamp(primary.timeline, primary.position)
        else:
            # Seen too long ago. A token that a client made up must not vouch for anything.
            stamp = log_end()
        return Reading(loaded=load(), stamp=stamp)


def read_lagging(load: Load) -> Loaded | None:
    """Load from the replica, however far it is, where the reader's own scope allows it; else None.

    For when the primary is away: then this is what there would be without a cache. Not to be kept.
    """
    scope = current_scope()
    if scope is None or scope.choose_database() != REPLICA:
        return None
    return load()


def log_end() -> Stamp:
    """Ask the primary where its log ends: whoever has seen this has seen every commit until now."""
    token = capture_token()
    return Stamp(token.timeline, token.position)


def newest_timeline() -> int:
    """Return the timeline of the primary as it was last seen; 0 when it was not seen lately."""
    primary = primary_state()
    return 0 if primary is None else primary.timeline
