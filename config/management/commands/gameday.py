"""`manage.py gameday [SCENARIO …]`: faults under load, and what came of them (docs/gamedays.md)."""

import contextlib
import signal
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.gameday.errors import GameDayError
from config.gameday.one_at_a_time import UnderWayError, held_lock
from config.gameday.own_stack import own_stack
from config.gameday.report import as_markdown, write_report
from config.gameday.run import Wish, hold
from config.gameday.scenario import Scenario
from config.gameday.scenarios import SCENARIOS
from config.gameday.stage import Stage
from config.stack.errors import StackError
from config.stack.state import HOLDFAST_DIRECTORY
from resilience import clock

# The worst of all scenarios decides.
EXIT_CODES = {"pass": 0, "missed": 3, "fail": 1}

# What a shell says of a program that Ctrl-C ended.
INTERRUPTED = 130


class Command(BaseCommand):
    help = "Hold game days: a fault under load, what was seen, and the audit's verdict."
    # It looks at a running stack from outside, or starts its own.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take which scenarios, how hard, how long and where."""
        parser.add_argument("scenario", nargs="*", help="which (--list shows them); all of them without any")
        parser.add_argument("--list", action="store_true", help="list the scenarios")
        parser.add_argument("--rate", type=float, help="orders per second; otherwise the scenario's own")
        parser.add_argument("--short", action="store_true", help="seconds instead of minutes")
        parser.add_argument("--out", type=Path, help="where reports go (.holdfast/gamedays)")
        parser.add_argument("--lock", type=int, help="an open lock that came along (for the dashboard)")
        parser.add_argument(
            "--own-stack", action="store_true", help="start a stack for each scenario in a temporary folder"
        )

    def handle(self, **options: Any) -> None:
        """Print each report; exit 0 when all passed, 3 when an expectation was missed, 1 on a violation."""
        if options["list"]:
            for one in SCENARIOS:
                self.stdout.write(f"{one.name:<18} {one.title}")
            return
        # As Ctrl-C does: an exception, so that what was broken is healed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        wish = Wish(rate=options["rate"], short=options["short"])
        out = options["out"] or _lock_folder()
        chosen, own = _chosen(options["scenario"]), options["own_stack"]
        try:
            # Two on one stack would be taken for each other; on stacks of their own they may.
            with (
                contextlib.nullcontext() if own or options["lock"] is not None else held_lock(_lock_folder())
            ):
                verdicts = [self._hold(scenario, wish=wish, out=out, own=own) for scenario in chosen]
        except (GameDayError, StackError, UnderWayError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stderr.write("Interrupted; what was broken is healed.")
            raise SystemExit(INTERRUPTED) from None
        self.stdout.write("\n".join(f"{name:<18} {verdict}" for name, verdict in verdicts))
        worst = {verdict for _name, verdict in verdicts}
        raise SystemExit(next(EXIT_CODES[one] for one in ("fail", "missed", "pass") if one in worst))

    def _hold(self, scenario: Scenario, *, wish: Wish, out: Path, own: bool) -> tuple[str, str]:
        held_at = clock.now()
        with _stage(scenario, own=own) as stage:
            outcome = hold(scenario, stage=stage, wish=wish, say=self._say)
        folder = write_report(outcome, directory=out, held_at=held_at)
        self.stdout.write(as_markdown(outcome, held_at=held_at))
        self.stdout.write(f"The report is in {folder}.\n")
        return scenario.name, outcome.verdict

    def _say(self, text: str) -> None:
        self.stderr.write(f"{clock.now():%H:%M:%S} {text}")


def _lock_folder() -> Path:
    return Path(settings.BASE_DIR) / HOLDFAST_DIRECTORY / "gamedays"


@contextlib.contextmanager
def _stage(scenario: Scenario, *, own: bool) -> Iterator[Stage]:
    if own:
        with own_stack(project=settings.BASE_DIR, synchronous=scenario.synchronous) as stage:
            yield stage
        return
    stage = Stage(settings.BASE_DIR)
    if stage.told["proxy"] is not None:
        # What a game day that was killed left behind.
        stage.proxy.heal()
    yield stage


def _chosen(names: Sequence[str]) -> list[Scenario]:
    known = {scenario.name: scenario for scenario in SCENARIOS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CommandError(f"There is no scenario {unknown[0]}. There are: {', '.join(known)}.")
    return [known[name] for name in names] or list(SCENARIOS)
