"""How old the oldest waiting thing is: asked of the primary now and then, by the pulse."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from resilience import pulse
from resilience.health.check import Check, Finding, Scope, Status, at_least, register
from resilience.pulse import Member, Query

# Halved, a fleet of web processes asks twice as often; doubled, a dashboard shows what was.
ASKED_EVERY_S = 2.0
# Older knowledge is none.
AGE_S_MAX = 10.0


@dataclass(frozen=True)
class Backlog:
    """A question whose answer is a number that should be small, or an object of such numbers by name.

    `question` is a scalar expression that an index answers.
    """

    name: str
    unit: str
    question: Callable[[], Query]
    warn: float
    fail: float
    meaning: str
    output: str


class Backlogs(Member):
    """Asks all backlogs' questions in one, as long as somebody wants to know."""

    name = "backlogs"

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._backlogs: dict[str, Backlog] = {}
        self.forget()

    def forget(self) -> None:
        """Know nothing yet, and ask nothing until somebody wants it."""
        self.is_wanted = False
        self._asked_at = -ASKED_EVERY_S
        self._values: dict[str, Any] = {}
        self._known_at: float | None = None

    def add(self, backlog: Backlog) -> None:
        """Ask this one's question as well."""
        self._backlogs[backlog.name] = backlog

    def question(self, alias: str) -> Query | None:
        """Return one object with every backlog's answer, when it is time."""
        if alias != "default" or not self.is_wanted or self._monotonic() - self._asked_at < ASKED_EVERY_S:
            return None
        self._asked_at = self._monotonic()
        parts, parameters = [], []
        for name, backlog in self._backlogs.items():
            query = backlog.question()
            parts.append(f"%s::text, ({query.sql})")
            parameters += [name, *query.parameters]
        return Query(f"SELECT jsonb_build_object({', '.join(parts)})", tuple(parameters))

    def answer(self, alias: str, value: Any, asked_at: float) -> None:
        """Keep the newest answers."""
        self._values, self._known_at = value, asked_at

    def finding(self, backlog: Backlog) -> Finding:
        """Return what the last answer means."""
        if self._known_at is None or self._monotonic() - self._known_at > AGE_S_MAX:
            return Finding(
                Status.WARN, unit=backlog.unit, output="Not known: the primary has not said it lately."
            )
        value: Any = self._values.get(backlog.name)
        output = backlog.output
        if isinstance(value, dict):
            worst = max(value, key=lambda name: value[name] or 0.0, default=None)
            value = value[worst] if worst else None
            output = f"{output} ({worst})"
        return at_least(
            max(0.0, float(value or 0)),
            warn=backlog.warn,
            fail=backlog.fail,
            unit=backlog.unit,
            output=output,
        )


backlogs = Backlogs()
pulse.join(backlogs)


def register_backlog(backlog: Backlog) -> None:
    """Make a backlog a soft check of its own: others can still be served while something waits."""
    backlogs.add(backlog)
    register(
        Check(
            name=backlog.name,
            component_type="component",
            scope=Scope.SHARED,
            is_hard=False,
            meaning=backlog.meaning,
            look=lambda: backlogs.finding(backlog),
        )
    )
