"""`python -m payments.sandbox`: runs the gateway until it is told to stop."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from aiohttp import web

from .book import Book, open_for_reading, open_for_writing
from .clockwork import Clockwork
from .commits import GroupCommit
from .control import Control
from .desk import Desk
from .faults import Faults
from .server import Server
from .settings import WEBHOOK_SECRET_DEFAULT, WEBHOOK_SECRETS_MAX, Settings
from .webhooks import Webhooks

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
    settings = _settings(arguments)
    connection = open_for_writing(arguments.book)
    reading = Book(open_for_reading(arguments.book))
    writing = Book(connection)
    writing.forget_answers(before=time.time() - settings.key_retention_s)
    commits = GroupCommit(connection)
    faults = Faults(seed=arguments.seed, settings=settings)
    desk = Desk(writing=writing, reading=reading, commits=commits, settings=settings)
    webhooks = Webhooks(settings=settings, writing=writing, reading=reading, commits=commits, faults=faults)
    control = Control(
        book=arguments.book,
        desk=desk,
        reading=reading,
        faults=faults,
        settings=settings,
        webhooks=webhooks,
    )
    server = Server(desk=desk, faults=faults, control=control, settings=settings)
    runner = web.ServerRunner(web.Server(server.handle, access_log=None))
    await runner.setup()
    site = web.TCPSite(
        runner, arguments.host, arguments.port, backlog=_BACKLOG, shutdown_timeout=_STOP_WAIT_S
    )
    await site.start()
    host, port = runner.addresses[0][:2]
    log.info("serving on http://%s:%s", host, port)
    clockwork = Clockwork(writing=writing, reading=reading, commits=commits, settings=settings)
    try:
        await _until_stopped([commits.failed(), clockwork.run(), webhooks.run()])
    finally:
        await runner.cleanup()
    await commits.close()
    connection.close()


async def _until_stopped(duties: list[Coroutine[Any, Any, Any]]) -> None:
    """Wait for a signal; raise if one of the duties, which never end by themselves, has failed."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    waits = [loop.create_task(wait) for wait in (stopped.wait(), *duties)]
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m payments.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and logs it")
    parser.add_argument("--book", type=Path, required=True, help="SQLite file, made if it is not there")
    parser.add_argument("--secret-key", required=True, help="the API key that clients must send")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same faults")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="delay of each answer")
    parser.add_argument("--fee-bps", type=int, default=0, help="hundredths of a percent of each charge")
    parser.add_argument("--fee-fixed", type=int, default=0, help="minor units for each charge")
    parser.add_argument("--webhook-url", help="where events are delivered; without it they are only listed")
    parser.add_argument(
        "--webhook-secret",
        action="append",
        help="signs the deliveries; given twice, both do, as while a secret is being replaced",
    )
    parser.add_argument("--webhook-events", help="the types that are delivered, with commas; else all")
    arguments = parser.parse_args()
    if len(arguments.webhook_secret or ()) > WEBHOOK_SECRETS_MAX:
        parser.error(f"--webhook-secret can be given {WEBHOOK_SECRETS_MAX} times")
    return arguments


def _settings(arguments: argparse.Namespace) -> Settings:
    events = arguments.webhook_events
    return Settings(
        secret_key=arguments.secret_key,
        latency_ms=arguments.latency_ms,
        fee_bps=arguments.fee_bps,
        fee_fixed=arguments.fee_fixed,
        webhook_url=arguments.webhook_url,
        webhook_secrets=tuple(arguments.webhook_secret or (WEBHOOK_SECRET_DEFAULT,)),
        webhook_events=frozenset(events.split(",")) if events else None,
    )


if __name__ == "__main__":
    main()
