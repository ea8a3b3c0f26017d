"""`manage.py demo_traffic`: a storefront that places an order now and then."""

import signal
import sys
from argparse import ArgumentParser
from random import Random
from typing import Any

from django.core.management.base import BaseCommand

from config.demo import place_orders_for_ever


class Command(BaseCommand):
    help = "Place demo orders through the public API, until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take where and how fast."""
        parser.add_argument("--url", required=True, help="where the API is, like http://127.0.0.1:8000")
        parser.add_argument("--api-key", required=True)
        parser.add_argument("--rate", type=float, default=2.0, help="orders per second, on average")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        place_orders_for_ever(
            url=options["url"], api_key=options["api_key"], rate=options["rate"], random=Random()
        )
