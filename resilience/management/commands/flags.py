"""`manage.py flags`: what can be turned, how it stands, and turning it."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resilience import clock, pulse
from resilience.errors import Refusal
from resilience.flags import Flag, Sample, Switch, declared
from resilience.flags.in_words import value_in_words
from resilience.flags.models import FlagChange
from resilience.flags.operate import Wish, set_flag

_KINDS = {Switch: "switch", Flag: "flag", Sample: "sample"}
_FIRST_BEAT_LIMIT_S = 5.0
_CHANGES_SHOWN = 20


class Command(BaseCommand):
    help = "List switches, flags and samples; set one; show who changed what, and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take an action; `set` needs a name, a value and a reason."""
        parser.add_argument("action", choices=["list", "set", "log"])
        parser.add_argument("name", nargs="?")
        parser.add_argument("value", nargs="?", help="on, off, or a percentage such as 20%%")
        parser.add_argument("--reason", default="", help="why: it is kept with the change")
        parser.add_argument("--operator", default=getpass.getuser())

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; a refusal says what to do instead."""
        match options["action"]:
            case "list":
                self._list()
            case "log":
                self._log()
            case "set":
                self._set(options)

    def _list(self) -> None:
        pulse.wait_for_turn("default", limit_s=_FIRST_BEAT_LIMIT_S)
        for one in declared():
            until = f", until {one.remove_by}" if one.remove_by else ""
            self.stdout.write(f"{one.name}  {_KINDS[type(one)]}  {value_in_words(one)}  ({one.owner}{until})")
            self.stdout.write(f"    {one.purpose}")

    def _log(self) -> None:
        for change in FlagChange.objects.order_by("-at")[:_CHANGES_SHOWN]:
            self.stdout.write(f"{change.at:%Y-%m-%d %H:%M:%S}  {change}: {change.reason}")

    def _set(self, options: dict[str, Any]) -> None:
        if options["name"] is None or options["value"] is None:
            raise CommandError("Name the flag and its new value, as in: flags set capture off --reason …")
        wish = Wish(options["name"], options["value"], options["operator"], options["reason"], clock.now())
        try:
            change = set_flag(wish)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"Done. {change}; every process knows within a second.")
