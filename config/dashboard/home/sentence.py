"""How things are, in one sentence that an operator can believe. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from resilience.health.check import Status
from resilience.health.report import Report


class Level(StrEnum):
    """How bad it is. UNKNOWN is no better than DOWN: nobody can say that it is not."""

    GOOD = "good"
    REDUCED = "reduced"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Sentence:
    """What is told first, and `more`: in how many other ways less works than should."""

    level: Level
    text: str
    more: int = 0


def sentence_of(report: Report | None) -> Sentence:
    """Return the sentence for the last look at everything; None: there is none that can be believed."""
    if report is None:
        return Sentence(
            Level.UNKNOWN, "Nothing is known: the background look at the parts stands still in this process."
        )
    reductions = report.reductions
    if not reductions:
        return Sentence(Level.GOOD, "All good. Orders are accepted, paid and told of as they should be.")
    first = reductions[0]
    level = Level.DOWN if report.status is Status.FAIL else Level.REDUCED
    because = f" {first.output.rstrip('.')}." if first.output else ""
    return Sentence(
        level, f"{first.meaning.rstrip('.')}.{because} Since {first.since:%H:%M:%S} UTC.", len(reductions) - 1
    )
