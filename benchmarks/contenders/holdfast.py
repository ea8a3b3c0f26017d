"""Holdfast itself, as `make run` runs it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.backlog import Backlog
from benchmarks.stage import FOLDER, Stage
from config.stack import platform
from config.stack.part import Part

DISPATCHER = "dispatcher"


@dataclass(frozen=True)
class Holdfast:
    """Dispatcher, Celery, saga, gateway: nothing is told to it, it finds the sagas by itself."""

    name: str = "Holdfast"
    does: str = (
        "dispatcher → Redis → 2 Celery workers (threads) → saga → gateway; the dispatcher is let go when "
        "the clock starts"
    )
    orders: int = 4000
    workers: int = 2
    held_back: Sequence[str] = (DISPATCHER,)
    environment: dict[str, str] = field(default_factory=dict)
    daemons: Sequence[str] = (DISPATCHER,)

    def parts(self, stage: Stage) -> Sequence[Part]:
        environment = {**stage.environment, **self.environment}
        daemons = platform.daemon_parts(folder=FOLDER, environment=environment)
        return [
            *(
                platform.worker_part(folder=FOLDER, copy=number, environment=environment)
                for number in range(1, self.workers + 1)
            ),
            *(part for part in daemons if part.name in self.daemons),
        ]

    def hand_over(self, backlog: Backlog) -> None:
        """Say nothing: the saga rows were written with the orders."""
