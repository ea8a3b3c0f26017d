"""A scenario: how long, how much, what goes wrong, and what should be seen. Data only."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from config.gameday.seen import Seen
from config.gameday.stage import Stage

# Entered when the fault begins; leaving it heals.
Fault = Callable[[Stage], AbstractContextManager[object]]


@dataclass(frozen=True)
class Finding:
    """One expectation after the run. `holds` None: it could not be told."""

    expected: str
    seen: str
    holds: bool | None


@dataclass(frozen=True)
class Expectation:
    """What should be seen, as a sentence with its bound; `look` says what was, and whether it holds."""

    says: str
    look: Callable[[Seen], tuple[str, bool | None]]

    def judge(self, seen: Seen) -> Finding:
        """Return what became of it."""
        found, holds = self.look(seen)
        return Finding(expected=self.says, seen=found, holds=holds)


@dataclass(frozen=True)
class Times:
    """Seconds of each phase; load runs through all of them."""

    steady_s: float
    fault_s: float
    after_s: float


@dataclass(frozen=True)
class Scenario:
    """One game day.

    `rate` is orders per second, each read once too. `surge`: during the fault, this many times the
    capacity that is measured first. `settle_s` is what may pass after the load until all is at rest.
    `needs_proxies`: between the parts of the stack (`up --with-proxies`).
    """

    name: str
    title: str
    fault: Fault
    expects: tuple[Expectation, ...]
    rate: float = 20.0
    times: Times = Times(steady_s=20, fault_s=40, after_s=20)
    short: Times = Times(steady_s=6, fault_s=8, after_s=6)
    surge: float | None = None
    measures_capacity: bool = False
    settle_s: float = 120.0
    synchronous: bool = False
    needs_proxies: bool = False
