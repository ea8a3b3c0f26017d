"""What is kept of a cached value: the body, and what is needed to judge it. No I/O, no clock.

Times are seconds since the epoch. Nothing here is ever pickled: the facts are JSON, the body is bytes.
"""

import json
from typing import NamedTuple

_FACTS = 9
_NUMBERS = {int, float}
_PASSES = 2


class Stamp(NamedTuple):
    """How much of the primary's history a value has seen, at least: a timeline and a log position.

    Compared as a pair. A later timeline began from all that an earlier one kept, so it has seen more.
    """

    timeline: int
    position: int

    def to_text(self) -> str:
        """Return text that sorts as stamps do (Redis compares it)."""
        return f"{self.timeline:010d}{self.position:020d}"


def stamp_of_text(text: str) -> Stamp:
    """Return the stamp that `Stamp.to_text` wrote. Raises ValueError for anything else."""
    if len(text) != 30 or not text.isdigit():
        raise ValueError("not a stamp")
    return Stamp(int(text[:10]), int(text[10:]))


class Envelope(NamedTuple):
    """A cached value. `body` None: the source said that there is none (a negative entry).

    `cost_s` (the δ of XFetch) is how long the source took. Until `soft` it is fresh; until `grace` it is
    served while somebody refreshes it; until `hard` it stands in for a source that fails.
    `passes`: its value must not be kept. Then this only says so, for as long, and has no body in Redis.
    """

    body: bytes | None
    created: float
    cost_s: float
    soft: float
    grace: float
    hard: float
    version: int
    stamp: Stamp
    passes: bool = False

    @property
    def is_negative(self) -> bool:
        """The source said that there is none."""
        return self.body is None

    def facts(self) -> bytes:
        """Return everything but the body, as JSON."""
        kind = _PASSES if self.passes else int(self.is_negative)
        # Three digits of a second: finer than any clock here, and half the bytes.
        times = [round(time, 3) for time in (self.created, self.soft, self.grace, self.hard)]
        facts = [self.version, *times, round(self.cost_s, 6), kind, *self.stamp]
        return json.dumps(facts, separators=(",", ":")).encode()


def envelope_of(facts: bytes, body: bytes) -> Envelope | None:
    """Return the envelope; None for facts that this code did not write, which is no entry at all."""
    try:
        read = json.loads(facts.decode())
    except ValueError:
        return None
    if not isinstance(read, list) or len(read) != _FACTS:
        return None
    if not {type(fact) for fact in read} <= _NUMBERS:
        return None
    version, created, soft, grace, hard, cost_s, kind, timeline, position = read
    return Envelope(
        body=None if kind == 1 else body,
        created=created,
        cost_s=cost_s,
        soft=soft,
        grace=grace,
        hard=hard,
        version=version,
        stamp=Stamp(timeline, position),
        passes=kind == _PASSES,
    )
