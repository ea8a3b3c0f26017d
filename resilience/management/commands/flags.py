"""`manage.py flags`: what can be turned, how it stands, and turning it."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resilience import clock, pulse
from resilience.errors import Refusal
from resilience.flags import Declaration, Flag, Sample, Switch, current, declared
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
            self.stdout.write(f"{one.name}  {_KINDS[type(one)]}  {_value_of(one)}  ({one.owner}{until})")
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


def _value_of(one: Declaration) -> str:
    snapshot = current()
    if snapshot is None:
        return f"{_word(one.safe)} (the database does not answer; the safe value)"
    match one:
        case Switch(name=name) if name in snapshot.switches:
            return _word(snapshot.switches[name])
        case Flag(name=name) if name in snapshot.flags:
            row = snapshot.flags[name]
            return f"{row.per_mille / 10:g} %" if row.everyone is None else _word(row.everyone)
        case Sample(name=name) if name in snapshot.samples:
            return f"{snapshot.samples[name] / 10:g} %"
        case _:
            return f"{_word(one.default)} (default)"


def _word(is_on: bool) -> str:  # noqa: FBT001
    return "on" if is_on else "off"
