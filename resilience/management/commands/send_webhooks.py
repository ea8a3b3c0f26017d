"""`manage.py send_webhooks`: the process that posts events to clients' endpoints."""

import signal
from random import Random
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand

from resilience import telemetry
from resilience.webhooks.sender import Sender


class Command(BaseCommand):
    """Send webhooks until SIGTERM or SIGINT; several of these processes may run at once."""

    help = "Post events to the webhook endpoints of clients, until stopped."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Serve until stopped."""
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: stop.set())
        telemetry.begin()
        Sender(random=Random()).serve(stop)
