"""A Celery chain: one task a step, no durable log. A worker that dies between two steps loses the order."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.backlog import Backlog, without_sagas
from benchmarks.stage import FOLDER, Stage
from config.stack.part import Part
from config.stack.probes import celery_answers

_WORKER = "chain-worker"


@dataclass(frozen=True)
class CeleryChain:
    """Two workers with threads, which were the fastest pool; `threads` each."""

    name: str = "Celery chain"
    does: str = (
        "one Celery task a step, SQL by hand, requests with keep-alive, no durable log; 2 workers (threads); "
        "the chains are published before the clock starts"
    )
    orders: int = 1500
    workers: int = 2
    threads: int = 16
    held_back: Sequence[str] = (_WORKER,)

    def parts(self, stage: Stage) -> Sequence[Part]:
        return [self._worker(stage, number) for number in range(1, self.workers + 1)]

    def hand_over(self, backlog: Backlog) -> None:
        """Publish a chain for each order, into a queue whose workers stand still."""
        # Not at the top: it needs Django's settings, and this module is read before they are there.
        from benchmarks.contenders.celery_chain_app import settle

        for order_id in without_sagas(backlog).ids:
            settle(str(order_id)).apply_async()

    def _worker(self, stage: Stage, number: int) -> Part:
        node = f"{_WORKER}-{number}@benchmark"
        return Part(
            name=_WORKER,
            copy=number,
            command=(
                sys.executable, "-m", "celery", "-A", "benchmarks.contenders.celery_chain_app", "worker",
                "--pool", "threads", "--concurrency", str(self.threads), "--hostname", node,
            ),
            directory=FOLDER,
            environment=stage.environment,
            is_ready=celery_answers(f"{stage.addresses.redis}/0", node),
            ready_limit_s=60.0,
        )  # fmt: skip
