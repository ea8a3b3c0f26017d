"""`python -m benchmarks.contenders.dbos_app`: one process of DBOS that takes workflows from a queue."""

import argparse
import os
import signal
import threading
from pathlib import Path
from typing import Any

import django
from dbos import DBOS, DBOSClient, DBOSConfig

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from benchmarks.contenders import steps  # noqa: E402 - Django first

QUEUE = "orders"
# A version of its own would be computed from the source; equal processes shall share the queue.
_VERSION = "benchmark"

_reserve, _authorize, _capture, _confirm, _finish = (
    DBOS.step()(step) for step in (steps.reserve, steps.authorize, steps.capture, steps.confirm, steps.finish)
)


@DBOS.workflow()
def settle(order_id: str) -> None:
    """Settle one order; DBOS logs the workflow and the end of each step."""
    _reserve(order_id)
    _authorize(order_id)
    _capture(order_id)
    _confirm(order_id)
    _finish(order_id)


def enqueue(url: str, order_ids: list[str]) -> None:
    """Put a workflow for each order into the queue."""
    client = DBOSClient(system_database_url=_for_sqlalchemy(url))
    try:
        for order_id in order_ids:
            client.enqueue({"queue_name": QUEUE, "workflow_name": settle.__qualname__}, order_id)
    finally:
        client.destroy()


def serve(*, url: str, name: str, at_once: int, poll_s: float, ready: Path) -> None:
    """Take workflows from the queue until SIGTERM; make the file `ready` when that has begun."""
    stopped = threading.Event()

    def stop(*_signal: Any) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    config: DBOSConfig = {
        "name": "benchmark",
        "system_database_url": _for_sqlalchemy(url),
        "sys_db_pool_size": at_once + 4,
        "application_version": _VERSION,
        "executor_id": name,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=at_once, polling_interval_sec=poll_s)
    ready.touch()
    stopped.wait()
    DBOS.destroy()


def _for_sqlalchemy(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--poll-s", type=float, required=True)
    parser.add_argument("--ready", type=Path, required=True)
    serve(**vars(parser.parse_args()))
