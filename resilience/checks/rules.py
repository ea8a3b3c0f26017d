"""A check as data: what must hold, and what to do when it does not."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.core.checks import CheckMessage, Error


@dataclass(frozen=True)
class Rule:
    """`holds()` reads the settings when it is called; `danger` says what happens while it is false."""

    id: str
    holds: Callable[[], bool]
    danger: str
    remedy: str


def broken(rules: Iterable[Rule]) -> list[CheckMessage]:
    """Return an error for each rule that does not hold."""
    return [Error(rule.danger, hint=rule.remedy, id=rule.id) for rule in rules if not rule.holds()]


def is_positive(value: object) -> bool:
    """Tell whether `value` is a number above zero; so neither None ("no limit") nor infinity."""
    return isinstance(value, int | float) and 0 < value < float("inf")
