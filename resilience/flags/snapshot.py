"""What operators have set, as it was at one moment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FlagRow:
    """A row of waffle's flags. `everyone` overrides all else; `percent` is in whole per mille of units.

    `version` changes with any of it: what a guard counts belongs to one version.
    """

    everyone: bool | None = None
    per_mille: int = 0
    superusers: bool = False
    staff: bool = False
    authenticated: bool = False
    users: frozenset[int] = frozenset()
    groups: frozenset[int] = frozenset()
    version: str = ""


@dataclass(frozen=True)
class Snapshot:
    """All rows by name. A name that is missing has its declared default."""

    version: str = ""
    flags: Mapping[str, FlagRow] = field(default_factory=dict)
    switches: Mapping[str, bool] = field(default_factory=dict)
    # Per mille of units.
    samples: Mapping[str, int] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """Every name that has a row."""
        return frozenset([*self.flags, *self.switches, *self.samples])


NOTHING_SET = Snapshot()

# A function of the database (migration 0016), so that it is one moment, planned once a session. `md5` of it
# all finds changes that no column tells, and a deletion. A guard asks over another connection than those who
# count for it, and must find the same version, whatever zone its session has: so no time is told as text.
SNAPSHOT_SQL = "SELECT resilience_flags(%s)"


def read_snapshot(document: Mapping[str, Any]) -> Snapshot:
    """Return what the value of `SNAPSHOT_SQL` says."""
    return Snapshot(
        version=document["version"],
        flags={
            name: FlagRow(
                everyone=row["everyone"],
                per_mille=_per_mille(row["percent"]),
                superusers=row["superusers"],
                staff=row["staff"],
                authenticated=row["authenticated"],
                users=frozenset(row["users"]),
                groups=frozenset(row["groups"]),
                version=row["version"],
            )
            for name, row in document["flags"].items()
        },
        switches=document["switches"],
        samples={name: _per_mille(percent) for name, percent in document["samples"].items()},
    )


def _per_mille(percent: float | None) -> int:
    return round((percent or 0) * 10)
