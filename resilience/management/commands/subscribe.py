"""`manage.py subscribe`: the process that hands events to their subscriptions."""

import signal
from argparse import ArgumentParser
from random import Random
from threading import Event

from django.core.management.base import BaseCommand

from resilience import telemetry
from resilience.events import serve, subscription_named, subscriptions
from resilience.events.subscription import refuse_unknown_types


class Command(BaseCommand):
    """Serve subscriptions until SIGTERM or SIGINT; several of these processes may run at once."""

    help = "Hand events to their subscriptions, until stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", help="subscriptions to serve; all of them by default")

    def handle(self, *_args: object, names: list[str], **_options: object) -> None:
        served = [subscription_named(name) for name in names] or subscriptions()
        for subscription in served:
            refuse_unknown_types(subscription)
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
        self.stdout.write(f"serving {', '.join(subscription.name for subscription in served) or 'nothing'}")
        self.stdout.flush()
        telemetry.begin()
        serve(served, stop=stop, random=Random())
