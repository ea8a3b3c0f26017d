"""`python -m config.stack.proxy --control PORT --route NAME=LISTENS:LEADS_TO …`: carry until told to stop."""

import argparse
import asyncio
import contextlib
import resource
import signal

from aiohttp import web

from config.stack.proxy.control import Control
from config.stack.proxy.link import LOOPBACK
from config.stack.proxy.route import Route


def main() -> None:
    """Read the command line and carry."""
    parser = argparse.ArgumentParser(prog="python -m config.stack.proxy", description=__doc__)
    parser.add_argument("--control", type=int, required=True, help="port of the control interface")
    parser.add_argument("--route", type=_route, action="append", default=[], metavar="NAME=LISTENS:LEADS_TO")
    arguments = parser.parse_args()
    _allow_many_connections()
    asyncio.run(_carry({route.name: route for route in arguments.route}, control=arguments.control))


async def _carry(routes: dict[str, Route], *, control: int) -> None:
    for route in routes.values():
        await route.open()
    runner = web.AppRunner(Control(routes).application(), access_log=None)
    await runner.setup()
    # Last: who gets an answer here knows that every route is open.
    await web.TCPSite(runner, LOOPBACK, control).start()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    for route in routes.values():
        route.close()
        route.cut()
    await runner.cleanup()


def _route(text: str) -> Route:
    name, _, ports = text.partition("=")
    listens, _, leads_to = ports.partition(":")
    return Route(name=name, listens=int(listens), leads_to=int(leads_to))


def _allow_many_connections() -> None:
    """A black hole keeps what is sent into it; the usual 1,024 files would end the hole instead."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Where the hard limit is "none", the kernel's own may be lower.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
