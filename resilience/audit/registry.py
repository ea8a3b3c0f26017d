"""Which checks this process knows, and what tells that something is under way."""

import re
from collections.abc import Callable, Collection

from resilience.audit.check import Check

_checks: dict[str, Check] = {}
_activities: dict[str, Callable[[], int]] = {}


class UnknownCheckError(LookupError):
    """No check of this id is registered in this process."""


def register(*new: Check) -> None:
    """Make checks known; raises ValueError when an id is taken by another."""
    for check in new:
        if _checks.setdefault(check.id, check) is not check:
            raise ValueError(f"check {check.id!r} is registered twice")


def register_activity(name: str, count: Callable[[], int]) -> None:
    """Let `count` say how much of `name` is under way; while it is above zero, there is no rest."""
    if _activities.setdefault(name, count) is not count:
        raise ValueError(f"activity {name!r} is registered twice")


def checks(ids: Collection[str] = ()) -> list[Check]:
    """Return the checks with these ids, all of them without ids, in the order of letters and numbers.

    Raises UnknownCheckError.
    """
    if unknown := sorted(set(ids) - _checks.keys()):
        raise UnknownCheckError(f"there is no check {', '.join(unknown)}")
    wanted = ids or _checks
    return sorted((_checks[id_] for id_ in set(wanted)), key=_place)


def activities() -> dict[str, Callable[[], int]]:
    """Return what can be under way, by name."""
    return dict(_activities)


def _place(check: Check) -> tuple[str, int]:
    letters, number = re.fullmatch(r"(\D*)(\d*)", check.id).groups()  # type: ignore[union-attr]
    return letters, int(number or 0)
