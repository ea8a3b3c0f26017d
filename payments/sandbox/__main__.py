"""`python -m payments.sandbox`: runs the gateway until it is told to stop."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from pathlib import Path

from aiohttp import web

from .book import Book, open_for_reading, open_for_writing
from .commits import GroupCommit
from .control import Control
from .desk import Desk
from .faults import Faults
from .server import Server
from .settings import Settings

log = logging.getLogger("payments.sandbox")

# Connections that may wait to be accepted; a burst of clients beyond it would see a slow connect.
_BACKLOG = 512
_STOP_WAIT_S = 2.0
# Two threads share one core here: with the default of 5 ms the commit thread waits too long for its turn.
_SWITCH_INTERVAL_S = 0.0005


def main() -> None:
    """Read the command line and serve."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    asyncio.run(serve(_arguments()))


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; raise if the book cannot be written any more."""
    settings = Settings(secret_key=arguments.secret_key, latency_ms=arguments.latency_ms)
    connection = open_for_writing(arguments.book)
    reading = Book(open_for_reading(arguments.book))
    writing = Book(connection)
    writing.forget_answers(before=time.time() - settings.key_retention_s)
    commits = GroupCommit(connection)
    faults = Faults(seed=arguments.seed)
    desk = Desk(writing=writing, reading=reading, commits=commits, settings=settings)
    control = Control(desk=desk, reading=reading, faults=faults, settings=settings)
    server = Server(desk=desk, faults=faults, control=control, settings=settings)
    runner = web.ServerRunner(web.Server(server.handle, access_log=None))
    await runner.setup()
    site = web.TCPSite(
        runner, arguments.host, arguments.port, backlog=_BACKLOG, shutdown_timeout=_STOP_WAIT_S
    )
    await site.start()
    log.info("serving on %s", site.name)
    try:
        await _until_stopped(commits)
    finally:
        await runner.cleanup()
    await commits.close()
    connection.close()


async def _until_stopped(commits: GroupCommit) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    waits = {loop.create_task(stopped.wait()), loop.create_task(commits.failed())}
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m payments.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--book", type=Path, required=True, help="SQLite file, made if it is not there")
    parser.add_argument("--secret-key", required=True, help="the API key that clients must send")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same faults")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="delay of each answer")
    return parser.parse_args()


if __name__ == "__main__":
    main()
