"""`manage.py stack COMMAND [PART]`: tell the embedded stack of this folder to do something."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.stack import state
from config.stack.channel import ask
from config.stack.commands import Verb
from config.stack.errors import StackError


class Command(BaseCommand):
    help = "Stop, kill or start a part of the running stack, fail over, rebuild (docs/operations.md)."
    # It talks to the supervisor, also when the database is what was stopped.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what to do, and for some with which part."""
        parser.add_argument("command", choices=[verb.value for verb in Verb], metavar="COMMAND")
        parser.add_argument("part", nargs="?", help="of stop, kill and start: such as redis, or worker-1")

    def handle(self, **options: Any) -> None:
        """Print the answer as JSON."""
        running = state.read_state(settings.BASE_DIR)
        if running is None:
            raise CommandError("No stack runs in this folder. Start one: make up.")
        command = {"do": options["command"], "part": options["part"]}
        try:
            answer = ask(running["control"], command)
        except StackError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(answer, indent=2))
