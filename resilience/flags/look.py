"""A look of the guards: compare what was counted, and turn off what does harm."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import connections, transaction
from waffle import get_waffle_flag_model

from resilience.flags.declaration import Flag, declared
from resilience.flags.guard import Block, Evidence
from resilience.flags.models import FlagChange, FlagExposure, FlagGuard
from resilience.flags.snapshot import SNAPSHOT_SQL, read_snapshot

GUARD = "guard"
# What a unit can be that is counted, and its column.
MEASURES = ("failed", "slow")


@dataclass(frozen=True)
class Conviction:
    """A flag that was turned off, and what showed it."""

    flag: str
    measure: str
    evidence: Evidence

    @property
    def reason(self) -> str:
        """Say it in words."""
        seen = self.evidence.seen
        return (
            f"{seen.on_bad / seen.on:.1%} of {seen.on} units with it were {self.measure}, "
            f"{seen.off_bad / seen.off:.1%} of {seen.off} without it."
        )


def look(*, now: datetime) -> list[Conviction]:
    """Let each declared flag's guard see what was counted since; turn off and return the convicted.

    Safe to run twice at once: a flag's rows are locked, in the order of their names.
    """
    return [
        conviction
        for declaration in declared()
        if isinstance(declaration, Flag)
        for conviction in _look_at(declaration, now=now)
    ]


def _look_at(flag: Flag, *, now: datetime) -> list[Conviction]:
    with transaction.atomic():
        row = (
            get_waffle_flag_model()
            .objects.using("default")
            .select_for_update()
            .filter(name=flag.name)
            .first()
        )
        # Turned off or on for everybody: there is nothing to compare.
        if row is None or row.everyone is not None:
            return []
        version = _version_of(flag.name)
        counted = {
            exposure.is_on: exposure
            for exposure in FlagExposure.objects.using("default").filter(flag=flag.name, version=version)
        }
        for measure in MEASURES:
            evidence = _see(flag, measure, version, counted, now=now)
            if evidence.convicts(flag.guard):
                return [_turn_off(flag, measure, evidence, now=now)]
    return []


def _see(
    flag: Flag, measure: str, version: str, counted: Mapping[bool, FlagExposure], *, now: datetime
) -> Evidence:
    """Add what was counted since the last look to the evidence, and keep it."""
    guard, _is_new = FlagGuard.objects.get_or_create(
        flag=flag.name, measure=measure, defaults={"version": version, "looked_at": now}
    )
    known = Evidence(Block(**guard.seen), guard.log_e) if guard.version == version else Evidence()
    total = _block(counted, measure)
    before = known.seen
    block = Block(
        total.on - before.on,
        total.on_bad - before.on_bad,
        total.off - before.off,
        total.off_bad - before.off_bad,
    )
    evidence = known.after(block, guard=flag.guard)
    guard.version, guard.looked_at = version, now
    guard.seen, guard.log_e = asdict(evidence.seen), evidence.log_e
    guard.save()
    return evidence


def _block(counted: Mapping[bool, FlagExposure], measure: str) -> Block:
    on, off = counted.get(True), counted.get(False)
    return Block(
        on=on.units if on else 0,
        on_bad=getattr(on, measure) if on else 0,
        off=off.units if off else 0,
        off_bad=getattr(off, measure) if off else 0,
    )


def _turn_off(flag: Flag, measure: str, evidence: Evidence, *, now: datetime) -> Conviction:
    row = get_waffle_flag_model().objects.using("default").get(name=flag.name)
    row.everyone = False
    row.save(using="default", update_fields=["everyone", "modified"])
    conviction = Conviction(flag.name, measure, evidence)
    FlagChange.objects.create(
        name=flag.name,
        change="turned off",
        by=GUARD,
        reason=conviction.reason,
        evidence={"measure": measure, "log_e": evidence.log_e, **asdict(evidence.seen)},
        at=now,
    )
    return conviction


def _version_of(name: str) -> str:
    """Return the version as the processes that count see it: by the same SQL."""
    with connections["default"].cursor() as cursor:
        cursor.execute(SNAPSHOT_SQL, [""])
        (document,) = cursor.fetchone()
    return read_snapshot(json.loads(document)).flags[name].version
