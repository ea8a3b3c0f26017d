"""`manage.py replay FILE`: past orders, through the public API of a running stack (docs/replay.md)."""

import json
import sys
import threading
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from config.replay.api import Api, Patience
from config.replay.errors import ReplayError
from config.replay.run import Options, run_replay
from config.replay.summary import as_json, as_text
from config.stack import state
from resilience import clock

# What a shell says of a program that Ctrl-C ended.
INTERRUPTED = 130


class Command(BaseCommand):
    help = "Replay past orders from a JSON Lines file (plain or gzip) through the public API."
    # It talks to the API only; the checks ask for a database.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file, where to, and how fast."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--url", help="where the API is; otherwise the stack that runs in this folder")
        parser.add_argument("--api-key", help="with orders.read, .write, .import, catalogue.write")
        parser.add_argument("--rate", type=_positive, help="orders per second; otherwise as fast as possible")
        parser.add_argument("--limit", type=_count, help="only the first orders of the file")
        parser.add_argument("--concurrency", type=_count, default=8, help="requests at a time (8)")
        parser.add_argument(
            "--source-zone",
            type=_zone,
            default="America/Sao_Paulo",
            help="of times that name none (America/Sao_Paulo)",
        )
        parser.add_argument(
            "--give-up-after",
            type=_positive,
            default=300.0,
            metavar="S",
            help="seconds without a good answer to a request (300)",
        )
        parser.add_argument(
            "--settle-timeout",
            type=_positive,
            default=600.0,
            metavar="S",
            help="seconds to wait for the last order to settle (600)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object, for tools")

    def handle(self, **options: Any) -> None:
        """Print the report; exit with 1 when an accepted order is open or was not found again."""
        url, api_key = _target(options["url"], options["api_key"])
        stop = threading.Event()
        patience = Patience(give_up_after_s=options["give_up_after"], pause=stop.wait)
        chosen = Options(
            path=options["file"],
            zone=options["source_zone"],
            limit=options["limit"],
            rate=options["rate"],
            concurrency=options["concurrency"],
            settle_timeout_s=options["settle_timeout"],
        )
        try:
            with (
                Api(url=url, api_key=api_key, patience=patience, connections_max=chosen.concurrency) as api,
                _progress() as progress,
            ):
                report = run_replay(chosen, api=api, stop=stop, progress=progress, now=clock.now)
        except ReplayError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stderr.write("Interrupted. Run the same command again: it does the rest.")
            sys.exit(INTERRUPTED)
        self.stdout.write(json.dumps(as_json(report)) if options["json"] else as_text(report))
        if not report.is_complete:
            sys.exit(1)


def _target(url: str | None, api_key: str | None) -> tuple[str, str]:
    """Return address and key: those given, else the ones of the stack that runs in this folder."""
    if url and not url.startswith(("http://", "https://")):
        raise CommandError(f"{url} is no address of an API. Write it like http://127.0.0.1:8000.")
    if url and api_key:
        return url, api_key
    running = state.read_state(settings.BASE_DIR)
    if running is None:
        raise CommandError("No stack runs in this folder. Start one (make up), or give --url and --api-key.")
    return url or running["web"]["url"], api_key or running["api_key"]


def _progress() -> Progress:
    """Return a bar on the terminal, beside the report on standard output; none when it is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ArgumentTypeError("must be above zero")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("must be at least 1")
    return number


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ArgumentTypeError(
            f"{name!r} is not in this machine's time zone database (package tzdata)"
        ) from error
