"""`manage.py quarter`: replay past orders on a stack of its own, count them three ways (docs/reports.md)."""

import signal
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.gameday.errors import GameDayError
from config.gameday.own_stack import own_stack
from config.gameday.stage import Stage
from config.quarter.figures import Figures, differences, table
from config.quarter.source import KNOWN, Source, read_source
from config.quarter.witnesses import lake, projections, source_ids, tables
from config.replay.errors import ReplayError
from config.replay.source import read_orders
from config.stack.errors import StackError

_FILE = Path("shared") / "data" / "olist_2017q4.jsonl.gz"
# Seventeen minutes on two cores; far more is a stack that stands still.
_REPLAY_S_MAX = 2 * 3600
# Lake and projections follow the orders by seconds.
_FOLLOW_S_MAX = 180.0
_LOOK_S = 5.0


class Command(BaseCommand):
    """Reads the file and starts its own servers; leaves nothing behind but what it prints."""

    help = "Replay the quarter of shared/data on a stack of its own; source, tables and lake have to agree."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take which file, and how much of it."""
        parser.add_argument("--file", type=Path, default=settings.BASE_DIR.parent / _FILE)
        parser.add_argument("--limit", type=int, help="only the first orders of the file")

    def handle(self, *, file: Path, limit: int | None, **_options: Any) -> None:
        """Print refusals and figures. Raises CommandError when anything is not as it has to be."""
        # As Ctrl-C does: an exception, so that the stack is stopped too.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            source = read_source(read_orders(path=file, limit=limit))
            with own_stack(project=settings.BASE_DIR, synchronous=False) as stage:
                chosen = [] if limit is None else ["--limit", str(limit)]
                stage.manage("replay", str(file.resolve()), "--json", *chosen, limit_s=_REPLAY_S_MAX)
                faults = self._refusals(source, stage, is_whole=limit is None)
                witnesses = _agreeing(source, stage)
        except (GameDayError, ReplayError, StackError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(table(witnesses))
        faults += [f"{name}: the witnesses differ." for name in differences(witnesses)]
        if faults:
            raise CommandError("\n".join(faults))

    def _refusals(self, source: Source, stage: Stage, *, is_whole: bool) -> list[str]:
        """Say which orders the platform does not have, and why; return what is wrong with that."""
        taken = source_ids(stage)
        self.stdout.write(f"{source.orders:,} orders in the file, {len(taken):,} accepted; refused:")
        for reason, ids in source.refused.items():
            self.stdout.write(f"  {len(ids):,} {reason}, of which {len(ids - taken):,} are not there")
        must = frozenset[str]().union(*source.refused.values())
        faults = [f"Order {one} had to be refused, and was accepted." for one in sorted(must & taken)]
        if len(taken) != source.orders - len(must):
            faults.append(f"{source.orders - len(must):,} orders had to be accepted, {len(taken):,} were.")
        counts = {reason: len(ids) for reason, ids in source.refused.items()}
        if is_whole and counts != KNOWN:
            faults.append(f"Of the quarter {dict(KNOWN)} cannot be placed, of this file {counts}.")
        return faults


def _agreeing(source: Source, stage: Stage) -> Mapping[str, Figures]:
    """Ask until all agree, for lake and projections follow; what they say at the end counts."""
    deadline = time.monotonic() + _FOLLOW_S_MAX
    while True:
        witnesses = {
            "source": source.figures,
            "tables": tables(stage),
            "projections": projections(stage),
            "lake": lake(stage),
        }
        if not differences(witnesses) or time.monotonic() > deadline:
            return witnesses
        time.sleep(_LOOK_S)
