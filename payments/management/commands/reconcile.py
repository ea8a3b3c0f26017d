"""`manage.py reconcile`: every gateway account's list beside our books, and what nothing explains."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payments.gateways.registry import gateway_names
from payments.models import ReconciliationException, ReconciliationRun
from payments.reconciliation.tally import percent, shares_of
from payments.selectors import exceptions_of_run
from payments.services.reconcile_gateway import reconcile
from payments.states import RunStatus
from resilience import clock
from resilience.errors import Refusal
from resilience.rest.timestamps import parse_timestamp

EXPLAINED, UNEXPLAINED, UNREAD = 0, 1, 2
# What a person can read; the admin has the rest.
SHOWN_MAX = 200


class Command(BaseCommand):
    help = "Compare gateways' lists with our books; exits 0 when all is explained, 1 if not, 2 unread."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the accounts, and from when on."""
        parser.add_argument("--gateway", nargs="+", metavar="NAME", help="only these accounts")
        parser.add_argument("--since", type=_time, help="RFC 3339; otherwise the whole list")
        parser.add_argument("--json", action="store_true", help="print one JSON object, for tools")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reconcile each account, show what came of it, and exit with the worst."""
        names = options["gateway"] or gateway_names()
        strangers = sorted(set(names) - set(gateway_names()))
        if strangers:
            raise CommandError(
                f"Not configured: {', '.join(strangers)}. Known: {', '.join(gateway_names())}."
            )
        runs = [_reconciled(name, options["since"]) for name in names]
        if options["json"]:
            self.stdout.write(json.dumps({"runs": [_as_json(run) for run in runs]}, indent=2))
        else:
            for line in _as_text(runs):
                self.stdout.write(line)
        sys.exit(max(map(_verdict, runs), default=EXPLAINED))


def _reconciled(name: str, since: datetime | None) -> ReconciliationRun:
    try:
        return reconcile(name, since=since, now=clock.now())
    except Refusal as refusal:
        raise CommandError(refusal.message, returncode=UNREAD) from refusal


def _verdict(run: ReconciliationRun) -> int:
    if run.status != RunStatus.FINISHED:
        return UNREAD
    return UNEXPLAINED if run.exceptions else EXPLAINED


def _as_text(runs: Sequence[ReconciliationRun]) -> Iterator[str]:
    for run in runs:
        yield f"{run.gateway}: {run.status}{f', {run.error}' if run.error else ''}"
        yield (
            f"  {run.lines} lines: {run.matched} matched, {run.booked} facts booked, "
            f"{run.under_way} under way, {run.accepted} explained by a note, {run.exceptions} not explained"
        )
        for currency, share in shares_of(run.summary).items():
            yield (
                f"  {currency}: {share.explained} of {share.items} explained "
                f"({percent(share.explained_bp)} %), "
                f"{share.explained_minor} of {share.amount_minor} minor units "
                f"({percent(share.explained_amount_bp)} %)"
            )
        yield from _table(list(exceptions_of_run(run)[:SHOWN_MAX]))


def _table(found: Sequence[ReconciliationException]) -> Iterator[str]:
    if not found:
        return
    rows = [("kind", "reference", "order", "ours", "theirs")]
    rows += [(one.kind, one.reference, str(one.order_id or "-"), one.ours, one.theirs) for one in found]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _as_json(run: ReconciliationRun) -> dict[str, Any]:
    return {
        "id": str(run.pk),
        "gateway": run.gateway,
        "status": run.status,
        "error": run.error,
        "lines": run.lines,
        "matched": run.matched,
        "booked": run.booked,
        "under_way": run.under_way,
        "accepted": run.accepted,
        "exceptions": run.exceptions,
        "explained": {
            currency: {
                **vars(share),
                "percent": percent(share.explained_bp),
                "amount_percent": percent(share.explained_amount_bp),
            }
            for currency, share in shares_of(run.summary).items()
        },
        "unexplained": [
            {
                "kind": one.kind,
                "reference": one.reference,
                "order_id": str(one.order_id) if one.order_id else None,
                "payment_id": str(one.payment_id) if one.payment_id else None,
                "ours": one.ours,
                "theirs": one.theirs,
            }
            for one in exceptions_of_run(run)[:SHOWN_MAX]
        ],
    }


def _time(text: str) -> datetime:
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
