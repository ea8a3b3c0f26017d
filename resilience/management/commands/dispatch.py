"""`manage.py dispatch`: the dispatcher as a process."""

from typing import Any

from django.core.management.base import BaseCommand

from resilience import telemetry
from resilience.saga.dispatcher import serve


class Command(BaseCommand):
    help = "Find due sagas and hint Celery at them, until stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGTERM or SIGINT."""
        telemetry.begin()
        telemetry.begin_sampling()
        serve()
