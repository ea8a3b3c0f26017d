"""`manage.py breaker`: how the fleet's breakers stand, and what a person may force upon one."""

import getpass
import re
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from resilience import clock
from resilience.breaker import Force, Standing, fleet_standings
from resilience.breaker.models import BreakerOverride
from resilience.breaker.operate import Instruction, force, release
from resilience.errors import Refusal

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Command(BaseCommand):
    help = "List the fleet's breakers; force a state upon one for a time, or let it go."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take an action and, for all but `list`, a breaker and a reason."""
        parser.add_argument("action", choices=["list", "force", "release"])
        parser.add_argument("breaker", nargs="?", help="its name, such as gateway:sandbox-1")
        parser.add_argument("--state", choices=[one.value for one in Force], default=Force.FORCED_OPEN.value)
        parser.add_argument("--for", dest="lasts", default="1h", help="90s, 30m, 1h; then it ends by itself")
        parser.add_argument("--reason", default="", help="why: it is kept with the action")
        parser.add_argument("--operator", default=getpass.getuser())

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; a refusal says what to do instead."""
        if options["action"] == "list":
            self._list()
            return
        if not options["breaker"] or not options["reason"]:
            raise CommandError("Name the breaker and give a --reason.")
        now = clock.now()
        instruction = Instruction(options["breaker"], options["operator"], options["reason"], now)
        try:
            if options["action"] == "force":
                force(instruction, state=Force(options["state"]), until=now + _duration(options["lasts"]))
            else:
                release(instruction)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write("Done. Every process knows it within a beat of the pulse (0.25 s).")

    def _list(self) -> None:
        for override in BreakerOverride.objects.filter(until__gt=clock.now()).order_by("name"):
            self.stdout.write(f"{override} ({override.reason})")
        try:
            for standing in fleet_standings():
                self.stdout.write(_line(standing))
        except redis.RedisError as error:
            raise CommandError(f"Redis does not tell how the fleet stands: {error}") from error


def _line(standing: Standing) -> str:
    figures = standing.fleet
    parts = [
        f"{standing.name}: {standing.state}",
        f"{figures.failed} of {figures.total} failed, {figures.slow} slow in 10 s",
        f"{figures.failing_workers} of {figures.reporting_workers} processes fail",
    ]
    if standing.reason:
        parts.append(standing.reason)
    if standing.since:
        parts.append(f"since {standing.since:%Y-%m-%d %H:%M:%S} UTC")
    if standing.retry_after_s is not None:
        parts.append(f"probed in {standing.retry_after_s:.1f} s")
    if standing.failing:
        parts.append(f"failing: {', '.join(standing.failing)}")
    return "; ".join(parts)


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not found:
        raise CommandError("--for is a number and a unit: 90s, 30m, 1h, 2d.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
