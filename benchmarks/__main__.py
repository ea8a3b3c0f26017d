"""`python -m benchmarks`: measure, print the tables, and write docs/benchmarks.md."""

import argparse
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.stage import FOLDER, Stage, open_stage

_PAGE = FOLDER / "docs" / "benchmarks.md"


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it works")
    parser.add_argument("--rounds", type=int, help="interleaved rounds; their median counts")
    parser.add_argument("--share", type=float, help="part of the full number of orders, as 0.5")
    parser.add_argument(
        "--page", type=Path, help=f"where to write the page (else: {_PAGE.name}, unless quick)"
    )
    arguments = parser.parse_args()
    with open_stage() as stage:
        text = _measure(stage, arguments)
    # A quick run says nothing that should replace a full one.
    page = arguments.page or (None if arguments.quick else _PAGE)
    if page:
        page.write_text(text)
        _say(f"written to {page}")


def _measure(stage: Stage, arguments: argparse.Namespace) -> str:
    """Return the page."""
    # Django reads its settings from the environment that the stage has set.
    import django

    django.setup()
    from benchmarks.report import page, tables
    from benchmarks.suite import BASELINE, FULL, OURS, QUICK, run_suite

    chosen = {name: getattr(arguments, name) for name in ("rounds", "share") if getattr(arguments, name)}
    result = run_suite(
        stage,
        scale=replace(QUICK if arguments.quick else FULL, **chosen),
        command=" ".join(["python -m benchmarks", *sys.argv[1:]]),
        began_at=datetime.now(UTC),
        report=_say,
    )
    print(tables(result, ours=OURS, baseline=BASELINE))
    return page(result, ours=OURS, baseline=BASELINE)


_STARTED = time.monotonic()


def _say(sentence: str) -> None:
    print(f"{time.monotonic() - _STARTED:6.0f} s  {sentence}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
