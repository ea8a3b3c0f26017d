"""`manage.py event_log`: the days that the log holds, and what is done to them each hour."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from resilience.events.days import beginning, open_days, today
from resilience.events.retention import forget, partitions


class Command(BaseCommand):
    """Nothing here is urgent: an event that finds no day of its own is kept with the strays."""

    help = "Show the event log's days; `keep` opens those to come and forgets old ones, as beat does hourly."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=["status", "keep"])

    def handle(self, *_args: Any, verb: str, **_options: Any) -> None:
        """Do it, and say what there is."""
        day = today()
        if verb == "keep":
            for opened in open_days(day):
                self.stdout.write(f"Opened {opened}.")
            forgotten = forget(before=day - timedelta(days=settings.EVENT_LOG_DAYS))
            for name in forgotten.partitions:
                self.stdout.write(f"Forgot {name}.")
            if forgotten.held_by:
                self.stdout.write(f"Older events stay, not read yet by: {', '.join(forgotten.held_by)}.")
        for partition in partitions():
            self.stdout.write(
                f"{partition.name}: recorded before {partition.until:%Y-%m-%d}, {partition.size / 1e6:.1f} MB"
            )
        mark = beginning()
        if mark is None or mark.xid == 0:
            self.stdout.write("Nothing is forgotten.")
        else:
            self.stdout.write(f"The log begins on {mark.day:%Y-%m-%d}.")
