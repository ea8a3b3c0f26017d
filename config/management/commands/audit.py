"""`manage.py audit`: are the promises kept? (docs/audit.md)"""

import json
import sys
from argparse import ArgumentParser
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from config.audit.run_audit import run_audit
from resilience import clock
from resilience.audit import Report, Result, UnknownCheckError, Verdict

EXIT_CODES = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 2}
_COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.UNKNOWN: "bold yellow",
    Verdict.SKIPPED: "dim",
}


class Command(BaseCommand):
    help = "Check the promises against the database and the gateways' books; exit 1 when one is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take which checks, whether all is at rest, and how to print."""
        parser.add_argument("--check", nargs="+", default=[], metavar="ID", help="only these, such as C1 L3")
        parser.add_argument("--json", action="store_true", help="print one JSON object, for tools")
        parser.add_argument(
            "--quiescent",
            action="store_true",
            help="all is at rest by now: judge the checks of rest even if something is under way",
        )

    def handle(self, **options: Any) -> None:
        """Print the verdicts; exit 0 when none failed, 1 on a violation, 2 when one could not tell."""
        try:
            report = run_audit(ids=options["check"], is_quiescent=options["quiescent"], clock=clock.now)
        except UnknownCheckError as error:
            raise CommandError(f"{error}. docs/audit.md lists them.", returncode=2) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
        else:
            _show(
                report, Console(file=cast("IO[str]", self.stdout), width=None if sys.stdout.isatty() else 120)
            )
        sys.exit(EXIT_CODES[report.verdict])


def _show(report: Report, console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("check", "verdict", "promise", "wrong", "ms"):
        table.add_column(column, justify="right" if column in ("wrong", "ms") else "left")
    for result in report.results:
        colour = _COLOURS[result.verdict]
        table.add_row(
            result.check.id,
            f"[{colour}]{result.verdict}[/]",
            result.check.title,
            str(result.total or ""),
            str(result.took_ms),
        )
    console.print(table)
    for result in report.results:
        for line in _details(result):
            console.print(escape(line), soft_wrap=True, highlight=False)
    console.print(f"\n{_summary(report)}", highlight=False)


def _details(result: Result) -> list[str]:
    if not result.total and not result.error:
        return []
    lines = [f"\n{result.check.id} {result.check.title}"]
    lines += [f"  {one.message}  ({', '.join(one.rows)})" for one in result.violations]
    if result.total > len(result.violations):
        lines.append(f"  and {result.total - len(result.violations):,} more")
    if result.error:
        lines.append(f"  {result.error}")
    return lines


def _summary(report: Report) -> str:
    counts = {verdict: sum(result.verdict is verdict for result in report.results) for verdict in Verdict}
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    moving = ", ".join(f"{count} {name}" for name, count in report.under_way.items() if count)
    return f"{report.verdict}: {told}" + (f"; under way: {moving}" if moving else "")
