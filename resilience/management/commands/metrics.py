"""`manage.py metrics`: what is measured, as the table of docs/telemetry.md."""

from typing import Any

from django.core.management.base import BaseCommand

from resilience.telemetry.table import metrics_table


class Command(BaseCommand):
    help = "Print every declared metric as a Markdown table."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        self.stdout.write(metrics_table())
