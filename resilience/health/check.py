"""A check of health as data: what is looked at in memory, and what it means for orders. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The words of health+json."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"


class Scope(StrEnum):
    """Whose trouble it is: LOCAL, this process's; SHARED, everybody's who depends on the same part."""

    LOCAL = "local"
    SHARED = "shared"


@dataclass(frozen=True)
class Finding:
    """What a look showed. `value` in `unit`; `output` says what is wrong, and to whom."""

    status: Status
    value: float | None = None
    unit: str = ""
    output: str = ""


PASSED = Finding(Status.PASS)


@dataclass(frozen=True)
class Check:
    """`look` reads memory, asks nobody, and takes no time.

    `name` is `component:measure`. `is_hard`: without it this process is of no use. `meaning` says what it
    means for orders while it does not pass, as an operator reads it.
    """

    name: str
    component_type: str
    scope: Scope
    is_hard: bool
    meaning: str
    look: Callable[[], Finding]


_checks: dict[str, Check] = {}


def register(*new: Check) -> None:
    """Make checks known. Raises ValueError when a name is taken by another."""
    for check in new:
        if _checks.setdefault(check.name, check) is not check:
            raise ValueError(f"health check {check.name!r} is registered twice")


def checks() -> list[Check]:
    """Return every check, by name."""
    return [_checks[name] for name in sorted(_checks)]


def at_least(value: float, *, warn: float, fail: float, unit: str, output: str = "") -> Finding:
    """Return what `value` means that should be small: `output` is told from `warn` on."""
    if value >= fail:
        return Finding(Status.FAIL, value, unit, output)
    if value >= warn:
        return Finding(Status.WARN, value, unit, output)
    return Finding(Status.PASS, value, unit)
