"""`manage.py query "SELECT …"`: ask the warehouse."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analytics.warehouse import QueryFailedError, ask, open_warehouse
from analytics.warehouse.formats import as_csv, as_json, as_table

_FORMATS = {"table": as_table, "csv": as_csv, "json": as_json}
_LIMIT = 10_000


class Command(BaseCommand):
    """Reads the lake alone: neither the primary nor the replica notices."""

    help = "Ask the warehouse (orders, lines, payments, refunds, customers, days, events) in SQL."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sql", help="one SELECT")
        parser.add_argument("--format", choices=sorted(_FORMATS), default="table")
        parser.add_argument("--limit", type=int, default=_LIMIT, help=f"rows at most ({_LIMIT})")

    def handle(self, *_args: Any, sql: str, format: str, limit: int, **_options: Any) -> None:
        """Print the answer."""
        if limit < 1:
            raise CommandError("Ask for one row at least: --limit 1.")
        try:
            with open_warehouse() as warehouse:
                answer = ask(warehouse, sql, limit=limit)
        except QueryFailedError as error:
            raise CommandError(error.message) from error
        for text in _FORMATS[format](answer):
            self.stdout.write(text, ending="")
        if answer.is_cut and format != "table":
            self.stderr.write(f"There is more: these are the first {limit} rows.")
