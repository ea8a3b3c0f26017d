"""A switch, a flag, a sample: declared where it is used, set by operators, read from memory.

The danger: libraries read flags through a cache, and raise when it is away: the kill switch dies with the
part that it should protect from. Here a reading is a look into the last snapshot that the pulse brought;
before the first one, it is the declared safe value.
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from resilience.flags import exposures, memory
from resilience.flags.guard import Guard
from resilience.flags.snapshot import FlagRow

Unit = UUID | str
_BUCKETS = 1000
_GUARD = Guard()


class User(Protocol):
    """What of Django's user decides about a flag."""

    pk: int
    is_authenticated: bool
    is_staff: bool
    is_superuser: bool


@dataclass(frozen=True)
class Declaration:
    """What has to be said of a name before it may be used.

    `safe` is the value while nothing is known: before the first beat with the database. `default` is the
    value where operators have set nothing. A kill switch stays, so that it has no `remove_by`.
    """

    name: str
    owner: str
    purpose: str
    safe: bool
    default: bool
    remove_by: date | None = None

    def __post_init__(self) -> None:
        known = _declared.setdefault(self.name, self)
        if known != self:
            raise ValueError(f"{self.name!r} is declared twice, by {known.owner} and {self.owner}")


@dataclass(frozen=True)
class Switch(Declaration):
    """On or off, for everybody."""

    def is_on(self) -> bool:
        """Tell what operators have set."""
        snapshot = memory.current()
        return self.safe if snapshot is None else snapshot.switches.get(self.name, self.default)


@dataclass(frozen=True)
class Sample(Declaration):
    """On for a share of units, and for nobody in particular."""

    def is_on(self, *, unit: Unit) -> bool:
        """Tell whether `unit` is in the sample."""
        snapshot = memory.current()
        if snapshot is None:
            return self.safe
        per_mille = snapshot.samples.get(self.name)
        return self.default if per_mille is None else bucket_of(self.name, unit) < per_mille


@dataclass(frozen=True)
class Flag(Declaration):
    """On for a share of units: orders, clients, whatever the caller counts by; the same everywhere.

    Its `guard` turns it off when the units with it fare worse than those without.
    """

    guard: Guard = _GUARD

    def is_on(self, *, unit: Unit, user: User | None = None, groups: frozenset[int] = frozenset()) -> bool:
        """Tell whether it is on for `unit`; or for `user`, who is in `groups`, whatever the unit."""
        snapshot = memory.current()
        if snapshot is None:
            return self.safe
        row = snapshot.flags.get(self.name)
        return self.default if row is None else _decide(self.name, row, unit, user, groups)

    def expose(self, *, unit: Unit) -> exposures.Exposure:
        """Return what `unit` gets, to be told how it fared: the guard lives on that.

        A flag that is the same for everybody is compared with nothing, and so is not counted.
        """
        snapshot = memory.current()
        row = None if snapshot is None else snapshot.flags.get(self.name)
        if snapshot is None or row is None or row.everyone is not None:
            return exposures.Exposure(self.name, "", is_on=self.is_on(unit=unit))
        is_on = bucket_of(self.name, unit) < row.per_mille
        return exposures.Exposure(self.name, row.version, is_on=is_on, slow_after_s=self.guard.slow_after_s)


def bucket_of(name: str, unit: Unit) -> int:
    """Return a number of [0, 1000) that depends on `name` and `unit` only: in any process, in any year.

    Different names share out the units differently, so that one unit is not in every experiment.
    """
    text = unit.bytes if isinstance(unit, UUID) else unit.encode()
    digest = hashlib.blake2b(name.encode() + b"\0" + text, digest_size=8).digest()
    return int.from_bytes(digest) * _BUCKETS >> 64


def declared() -> list[Declaration]:
    """Return every declaration of this process, by name."""
    return [_declared[name] for name in sorted(_declared)]


def _decide(name: str, row: FlagRow, unit: Unit, user: User | None, groups: frozenset[int]) -> bool:
    if row.everyone is not None:
        return row.everyone
    if user is not None and _is_meant(row, user, groups):
        return True
    return bucket_of(name, unit) < row.per_mille


def _is_meant(row: FlagRow, user: User, groups: frozenset[int]) -> bool:
    return (
        (row.authenticated and user.is_authenticated)
        or (row.staff and user.is_staff)
        or (row.superusers and user.is_superuser)
        or user.pk in row.users
        or not row.groups.isdisjoint(groups)
    )


_declared: dict[str, Declaration] = {}
