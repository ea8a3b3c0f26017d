"""What a process tells the fleet of one breaker at a beat, and what it hears back."""

from dataclasses import dataclass
from typing import NamedTuple

from resilience.breaker.condition import Condition, Figures
from resilience.breaker.states import BreakerState


class Ended(NamedTuple):
    """A lease that is given back. `is_passed` None: it was not used, or said nothing."""

    token: str
    is_passed: bool | None


@dataclass(frozen=True)
class Proposal:
    """A move from `expected_version`, in durations: the clocks of machines differ."""

    expected_version: int
    version: int
    state: BreakerState
    lasts_s: float
    wait_s: float
    reason: str


@dataclass(frozen=True)
class Report:
    """News of one breaker. Counts are those since the last report.

    `version`: of the fleet's condition in which they were counted; what is older than a move away from CLOSED
    says nothing about what came after it.
    `answered_ago_s`: something answered, so long ago, which ends the fleet's streak if it began before that;
    only then `streak` is added, whose first failure is `streak_ago_s` old. (Without the times, what went well
    just before a death would end, beat by beat, the streak that has begun since.)
    `is_reporting`: this worker had calls lately; `is_failing`: its own speak against the dependency.
    """

    name: str
    version: int = 0
    total: int = 0
    failed: int = 0
    slow: int = 0
    answered_ago_s: float | None = None
    streak: int = 0
    streak_ago_s: float = 0.0
    is_reporting: bool = False
    is_failing: bool = False
    retry_after_s: float = 0.0
    leases_wanted: int = 0
    leases_held: tuple[str, ...] = ()
    leases_ended: tuple[Ended, ...] = ()
    proposal: Proposal | None = None
    probes_at_once: int = 1
    probes_needed: int = 1
    lease_s: float = 2.0


@dataclass(frozen=True)
class Verdict:
    """What the fleet knows: its condition (times count from this answer, at 0), its figures, new leases.

    `failing`: some of the workers that fail. `is_moved`: the report's own proposal was carried out.
    """

    condition: Condition
    figures: Figures
    leases: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()
    is_moved: bool = False


@dataclass(frozen=True)
class Move:
    """A breaker moved at `at` (seconds of the reader's clock), because of `figures`."""

    before: BreakerState
    after: BreakerState
    reason: str
    at: float
    figures: Figures
