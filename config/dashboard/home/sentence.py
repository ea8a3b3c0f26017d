"""How things are, in one sentence that an operator can believe. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from resilience.health.check import Status
from resilience.health.report import Report

_A_DAY = timedelta(days=1)


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


def _moment(moment: datetime, *, now: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if now - moment > _A_DAY else f"{moment:%H:%M:%S} UTC"


def sentence_of(report: Report | None) -> Sentence:
    """Return the sentence for the last look at everything; None: there is none that can be believed."""
    if report is None:
        return Sentence(
            Level.UNKNOWN, "Nothing is known: the background look at the parts stands still in this process."
        )
    reductions = report.reductions
    if not reductions:
        return Sentence(Level.GOOD, "All good. Every check passes: orders are accepted, paid and told of.")
    first = reductions[0]
    level = Level.DOWN if report.status is Status.FAIL else Level.REDUCED
    because = f" {first.output.rstrip('.')}." if first.output else ""
    since = _moment(first.since, now=report.at)
    text = f"{first.meaning.rstrip('.')}.{because} Since {since}."
    return Sentence(level, text, more=len(reductions) - 1)
