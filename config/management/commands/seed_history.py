"""`manage.py seed_history`: a past made up, to measure pages on."""

import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.history.seeding import STEPS_PER_ORDER, seed
from resilience import clock


class Command(BaseCommand):
    help = (
        "Write orders of the past, with payments, sagas and events, straight into the tables (not audited)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take how many, and over how many days."""
        parser.add_argument("--orders", type=int, default=125_000, help="four events each: half a million")
        parser.add_argument("--days", type=int, default=90)

    def handle(self, *_args: Any, orders: int, days: int, **_options: Any) -> None:
        """Write them; refuse in production, where money that nobody took would be told of."""
        if settings.PRODUCTION:
            raise CommandError(
                "Not in production: these orders were never paid, and every report would count them."
            )
        if orders < 1 or days < 1:
            raise CommandError("--orders and --days are at least 1.")
        began = time.monotonic()
        try:
            events = seed(orders, until=clock.now(), over=timedelta(days=days))
        except LookupError as error:
            raise CommandError(f"{error} Make one first: manage.py bootstrap.") from error
        self.stdout.write(
            f"{orders:,} orders, {STEPS_PER_ORDER * orders:,} saga steps, {events:,} events "
            f"in {time.monotonic() - began:.0f} s"
        )
