"""`python -m benchmarks.tools [tool …] [--short] [--json FILE]`: measure, print a Markdown table."""

import argparse
import importlib
import json
import pkgutil
import sys
from dataclasses import asdict
from pathlib import Path

import django

from benchmarks import tools
from benchmarks.stage import open_stage
from benchmarks.tools.row import Row

_NO_TOOLS = {"__main__", "row"}
_VERDICTS = {True: "yes", False: "**no**", None: ""}


def main() -> int:
    """Return 1 if a claim does not hold."""
    names = sorted(one.name for one in pkgutil.iter_modules(tools.__path__) if one.name not in _NO_TOOLS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tools")
    parser.add_argument("tools", nargs="*", metavar="tool", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--short", action="store_true", help="a few seconds each: does it still run?")
    parser.add_argument("--json", type=Path, help="write the rows here as well")
    options = parser.parse_args()
    if unknown := sorted(set(options.tools) - set(names)):
        parser.error(f"there is no benchmark of {', '.join(unknown)}; there are {', '.join(names)}")
    rows: dict[str, list[Row]] = {}
    # Servers of its own; Django reads its settings from the environment that it sets.
    with open_stage():
        django.setup()
        for name in options.tools or names:
            module = importlib.import_module(f"benchmarks.tools.{name}")
            rows[name] = module.measure(short=options.short)
            print(_table(name, rows[name]), flush=True)
    if options.json:
        document = {name: [asdict(row) for row in measured] for name, measured in rows.items()}
        options.json.write_text(json.dumps(document, indent=2))
    return int(any(row.holds is False for measured in rows.values() for row in measured))


def _table(name: str, rows: list[Row]) -> str:
    lines = [f"### {name}", "", "| claim | ours | target | peers | holds |", "|---|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row.claim} | {row.ours} | {row.target} | {row.peers} | {_VERDICTS[row.holds]} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
