"""DBOS: durable workflows in PostgreSQL, taken from a DBOS queue by two processes."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.backlog import Backlog, without_sagas
from benchmarks.stage import FOLDER, Stage
from config.stack.part import Part

_WORKER = "dbos-worker"


@dataclass(frozen=True)
class DbosQueue:
    """`at_once` workflows run in each process; the queue is asked every `poll_s` (DBOS: every second)."""

    name: str = "DBOS"
    does: str = (
        "@DBOS.workflow with five @DBOS.step (the chain's functions), 2 processes on one DBOS queue; the "
        "workflows are enqueued before the clock starts"
    )
    orders: int = 800
    workers: int = 2
    at_once: int = 16
    poll_s: float = 0.1
    held_back: Sequence[str] = (_WORKER,)

    def parts(self, stage: Stage) -> Sequence[Part]:
        return [self._worker(stage, number) for number in range(1, self.workers + 1)]

    def hand_over(self, backlog: Backlog) -> None:
        """Enqueue a workflow for each order."""
        # Not at the top: it needs Django's settings, and this module is read before they are there.
        from django.conf import settings

        from benchmarks.contenders.dbos_app import enqueue

        enqueue(settings.PRIMARY_URL, [str(order_id) for order_id in without_sagas(backlog).ids])

    def _worker(self, stage: Stage, number: int) -> Part:
        ready = Path(stage.directory) / f"{_WORKER}-{number}.ready"

        def forget() -> None:
            ready.unlink(missing_ok=True)

        return Part(
            name=_WORKER,
            copy=number,
            command=(
                sys.executable, "-m", "benchmarks.contenders.dbos_app",
                "--url", stage.addresses.primary,
                "--name", f"{_WORKER}-{number}",
                "--at-once", str(self.at_once),
                "--poll-s", str(self.poll_s),
                "--ready", str(ready),
            ),
            directory=FOLDER,
            environment=stage.environment,
            prepare=forget,
            is_ready=ready.exists,
            ready_limit_s=60.0,
        )  # fmt: skip
