"""A check: one promise as a question that names the rows which break it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, TypeVar

# Whoever reads a report needs the first of them and how many there are; a database that is wrong
# everywhere must still fit into a log line and a row of the table of runs.
VIOLATIONS_SHOWN_MAX = 20

Thing = TypeVar("Thing")


class Kind(StrEnum):
    """When a check can be judged.

    SAFETY: in every snapshot. LIVENESS: too, since each such check allows for its own deadline; it must
    not wait until nothing is under way, for what is stuck is under way. QUIESCENCE: only at rest.
    """

    SAFETY = "safety"
    QUIESCENCE = "quiescence"
    LIVENESS = "liveness"


@dataclass(frozen=True)
class Violation:
    """One thing wrong, in a sentence. `rows` say where to look, such as "order 01a2…"."""

    message: str
    rows: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """What a check found: how many violations in all, and the first `VIOLATIONS_SHOWN_MAX` of them."""

    total: int
    shown: tuple[Violation, ...]

    @classmethod
    def of(cls, violations: Iterable[Violation]) -> "Findings":
        """Count all of `violations` and keep the first."""
        every = iter(violations)
        shown = tuple(islice(every, VIOLATIONS_SHOWN_MAX))
        return cls(len(shown) + sum(1 for _ in every), shown)


class WitnessMissingError(Exception):
    """A check needs a witness that could not be heard: its verdict is unknown."""


@dataclass
class Moment:
    """What a check may look at: the snapshot that is open, its time, and what witnesses said before it.

    The witnesses were heard before the snapshot was taken, because nobody asks anybody inside a
    transaction; so whatever they know of had been intended here by then.
    """

    now: datetime
    witnesses: Mapping[type, object] = field(default_factory=dict)
    _kept: dict[Callable[[], Any], Any] = field(default_factory=dict)

    def witness(self, kind: type[Thing]) -> Thing:
        """Return what the witness of this kind said. Raises WitnessMissingError."""
        heard = self.witnesses.get(kind)
        if isinstance(heard, kind):
            return heard
        raise WitnessMissingError(f"{kind.__name__} was not heard: {heard or 'nobody asked'}")

    def once(self, ask: Callable[[], Thing]) -> Thing:
        """Return what `ask` returns, asking only once for all checks of this run."""
        if ask not in self._kept:
            self._kept[ask] = ask()
        kept: Thing = self._kept[ask]
        return kept


@dataclass(frozen=True)
class Check:
    """One promise. `find` returns what breaks it and raises when it cannot tell."""

    id: str
    title: str
    kind: Kind
    find: Callable[[Moment], Findings]
