"""`manage.py projections verify|rebuild`: the tallies, compared with the log or made anew from it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics.lake.keeping import DamagedFileError
from analytics.projections import differences, rebuild
from resilience import clock


class Command(BaseCommand):
    """Both hold the subscription for as long as they read the log; orders do not notice."""

    help = "Compare the tallies with the event log, or make them anew from it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["verify", "rebuild"])

    def handle(self, *_args: Any, verb: str, **_options: Any) -> None:
        """Do it; differences are an error, and so is a damaged lake that is needed for it."""
        try:
            self._do(verb)
        except DamagedFileError as refusal:
            raise CommandError(refusal.message) from refusal

    def _do(self, verb: str) -> None:
        if verb == "rebuild":
            self.stdout.write(f"{rebuild(now=clock.now())} tallies, from the log.")
            return
        if found := differences(now=clock.now()):
            raise CommandError("\n".join([*found, "`manage.py projections rebuild` makes them anew."]))
        self.stdout.write("The tallies are what the log says.")
