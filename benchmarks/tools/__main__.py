"""`python -m benchmarks.tools [tool …] [--short] [--json FILE]`: measure, print a Markdown table."""

import argparse
import importlib
import json
import os
import pkgutil
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import django

from benchmarks import tools
from benchmarks.machine import this_machine
from benchmarks.stage import open_stage
from benchmarks.tools.row import Row

_PAGE = "docs/benchmarks-tools.md"
_HEAD = """\
# Benchmarks of the resilience tools

A figure without its peer is worth little: where a library does the same, it was measured in the same run.
Written by `{command}`.

| | |
|---|---|
| date | {date} |
| machine | {machine} |
| load before and after the run | {before:.1f}, {after:.1f} |

"""
_NO_TOOLS = {"__main__", "row"}
_VERDICTS = {True: "yes", False: "**no**", None: ""}


def main() -> int:
    """Return 1 if a claim does not hold."""
    names = sorted(one.name for one in pkgutil.iter_modules(tools.__path__) if one.name not in _NO_TOOLS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tools")
    parser.add_argument("tools", nargs="*", metavar="tool", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--short", action="store_true", help="a few seconds each: does it still run?")
    parser.add_argument("--json", type=Path, help="write the rows here as well")
    parser.add_argument("--page", type=Path, help="write the tables here, as docs/benchmarks-tools.md")
    options = parser.parse_args()
    if unknown := sorted(set(options.tools) - set(names)):
        parser.error(f"there is no benchmark of {', '.join(unknown)}; there are {', '.join(names)}")
    rows: dict[str, list[Row]] = {}
    load_before = os.getloadavg()[0]
    # Servers of its own; Django reads its settings from the environment that it sets.
    with open_stage() as stage:
        django.setup()
        for name in options.tools or names:
            module = importlib.import_module(f"benchmarks.tools.{name}")
            # Few tools run the whole platform, and need to know on which servers.
            on_stage = getattr(module, "measure_on", None)
            rows[name] = (
                on_stage(stage, short=options.short) if on_stage else module.measure(short=options.short)
            )
            print(_table(name, rows[name]), flush=True)
    if options.page:
        options.page.write_text(_page(rows, loads=(load_before, os.getloadavg()[0])))
    if options.json:
        document = {name: [asdict(row) for row in measured] for name, measured in rows.items()}
        options.json.write_text(json.dumps(document, indent=2))
    return int(any(row.holds is False for measured in rows.values() for row in measured))


def _page(rows: dict[str, list[Row]], *, loads: tuple[float, float]) -> str:
    machine = this_machine()
    head = _HEAD.format(
        command=f"python -m benchmarks.tools --page {_PAGE}",
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=f"{machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB, {machine.system}",
        before=loads[0],
        after=loads[1],
    )
    return head + "\n".join(_table(name, measured) for name, measured in rows.items())


def _table(name: str, rows: list[Row]) -> str:
    lines = [f"### {name}", "", "| claim | ours | target | peers | holds |", "|---|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row.claim} | {row.ours} | {row.target} | {row.peers} | {_VERDICTS[row.holds]} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
