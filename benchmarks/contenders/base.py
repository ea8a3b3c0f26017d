"""What the timed run needs to know of a contender."""

from collections.abc import Sequence
from typing import Protocol

from benchmarks.backlog import Backlog
from benchmarks.stage import Stage
from config.stack.part import Part


class Contender(Protocol):
    """An engine that settles placed orders with processes of its own."""

    name: str
    does: str
    """One sentence for the report: how it does the work."""
    orders: int
    """Orders of a full round: about ten seconds of its work on two cores."""
    held_back: Sequence[str]
    """Parts that stand still (SIGSTOP) until the clock starts, so that nothing is done before."""

    def parts(self, stage: Stage) -> Sequence[Part]:
        """Return its processes."""

    def hand_over(self, backlog: Backlog) -> None:
        """Tell it of the orders in whatever way it learns of them; outside the measured time."""
