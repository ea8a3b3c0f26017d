"""Who is turned away when more is asked than can be done: pure, so that overload is tested without load.

The danger: a server that takes everything in does nothing in time, and its clients ask again meanwhile.
So what would have to wait too long is turned away when it comes, the least important first.

The rule is that of weighted random early detection, which routers use, on the time that a newcomer would
wait: each tier has a stretch of it in which it is turned away more and more. It has no memory, and so cannot
swing: a PI controller on the age of the queue (PIE, RFC 8033) was tried, and swung by most of a second at
three times the capacity, because what it let in shows only when it has waited.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Tier(IntEnum):
    """What is asked for, the most important first."""

    MONEY = 0
    CHECKOUT = 1
    READ = 2
    LIST = 3
    REPORT = 4


class Cause(StrEnum):
    """Why somebody is turned away."""

    QUEUE = "queue"
    BACKLOG = "backlog"


@dataclass(frozen=True)
class Stretch:
    """Nobody is turned away up to `none_s`, everybody from `all_s` on, a growing share in between."""

    none_s: float
    all_s: float

    def share(self, value_s: float) -> float:
        """Return which share is turned away at this value."""
        return min(1.0, max(0.0, (value_s - self.none_s) / (self.all_s - self.none_s)))


# By the time that a newcomer would wait for a thread. Halved, a burst of one moment turns people away though
# the next would have served them; doubled, an order under overload takes a second. Stretches do not overlap,
# so that nothing of a tier is turned away while anything of a lower one is let in. Money waits in a line of
# its own, up to where whoever asked has hung up and asks again under the same key.
WAIT: Mapping[Tier, Stretch] = {
    Tier.REPORT: Stretch(0.05, 0.10),
    Tier.LIST: Stretch(0.10, 0.20),
    Tier.READ: Stretch(0.20, 0.30),
    Tier.CHECKOUT: Stretch(0.30, 0.50),
    Tier.MONEY: Stretch(5.0, 10.0),
}
# By how long the oldest sagas have been due. Reports and lists leave the database to those who settle; an
# order that would lie for hours is better told so, but workers that are away for minutes cost no order.
# Reads stay, for they show how things stand; so does money, whose sagas go on from where they are.
BACKLOG: Mapping[Tier, Stretch] = {
    Tier.REPORT: Stretch(60.0, 120.0),
    Tier.LIST: Stretch(300.0, 600.0),
    Tier.CHECKOUT: Stretch(3600.0, 7200.0),
}
# The time between two that are served is a mean over the last twenty or so: one slow report more or less
# does not matter, a slow second does.
_NEWEST_COUNTS = 0.05


@dataclass(frozen=True)
class Chance:
    """With which probability a request is turned away, and why."""

    share: float
    cause: Cause


def chance(tier: Tier, *, wait_s: float, backlog_s: float) -> Chance:
    """Return how likely a request of `tier` is to be turned away, if it would wait so long."""
    by_wait = WAIT[tier].share(wait_s)
    by_backlog = BACKLOG[tier].share(backlog_s) if tier in BACKLOG else 0.0
    return Chance(by_backlog, Cause.BACKLOG) if by_backlog > by_wait else Chance(by_wait, Cause.QUEUE)


def mean_s(before_s: float, newest_s: float) -> float:
    """Return the mean time between two that are served, with the newest one."""
    return before_s + _NEWEST_COUNTS * (newest_s - before_s)
