import sys
from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.stack import state
from config.stack.detach import start_detached
from config.stack.errors import StackError
from config.stack.lock import AlreadyHeldError
from config.stack.terminal import Terminal
from config.stack.up import Options, run_stack


class Command(BaseCommand):
    help = "Run the embedded stack of this folder: servers, sandbox, web, workers and all."
    # The checks ask for a database, which is what we are about to start.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--demo", action=BooleanOptionalAction, default=True, help="place orders all the time"
        )
        parser.add_argument("--detach", action="store_true", help="return when all is ready")
        parser.add_argument("--port", type=int, help="of the web server; otherwise the last one, or 8000")
        parser.add_argument("--sandboxes", type=int, default=2, help="gateway accounts")
        parser.add_argument("--workers", type=int, default=2, help="Celery worker processes")
        parser.add_argument(
            "--with-proxies",
            action="store_true",
            help="let parts reach each other through a proxy that can fail on request",
        )
        parser.add_argument(
            "--synchronous", action="store_true", help="acknowledge a commit when the replica has it too"
        )

    def handle(self, **options: Any) -> None:
        folder = settings.BASE_DIR
        logs = folder / state.HOLDFAST_DIRECTORY / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        terminal = Terminal(output=sys.stdout, log=logs / "supervisor.log")
        chosen = Options(
            demo=options["demo"],
            web_port=options["port"],
            sandboxes=options["sandboxes"],
            workers=options["workers"],
            with_proxies=options["with_proxies"],
            synchronous=options["synchronous"],
        )
        try:
            if options["detach"]:
                start_detached(folder=folder, options=chosen, terminal=terminal)
            else:
                run_stack(folder=folder, options=chosen, terminal=terminal)
        except AlreadyHeldError:
            raise CommandError(_already_running(state.read_state(folder)))
        except StackError as error:
            raise CommandError(str(error))


def _already_running(running: dict[str, Any] | None) -> str:
    if running is None:
        return "A stack is being started or stopped in this folder."
    return f"A stack is running in this folder already: {running['web']['url']} (`make down` stops it)."
