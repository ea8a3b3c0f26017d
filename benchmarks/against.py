"""`python -m benchmarks.against REV`: this tree and an earlier one, in turns, on the same backlog.

A figure of last month was taken on another machine; only a run that measures both says what a change cost.
Each turn is a process of its own tree, with its own servers, so that neither sees the other's code.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median

FOLDER = Path(__file__).resolve().parent.parent
# What each tree is asked to run; these names are the same in every tree since the first benchmark.
_TURN = """
import json, sys
from benchmarks.stage import open_stage
with open_stage() as stage:
    import django
    django.setup()
    from benchmarks.backlog import stock_up
    from benchmarks.contenders.holdfast import Holdfast
    from benchmarks.drain import drain
    from config.bootstrap import bootstrap
    from resilience.clock import now
    stock_up()
    bootstrap(now=now())
    for latency_ms in (0, 50):
        figures = drain(Holdfast(), stage=stage, orders=int(sys.argv[1]), latency_ms=latency_ms)
        print("FIGURES", json.dumps([latency_ms, figures.per_s, dict(figures.cpu_ms), figures.load]))
"""


def main() -> None:
    """Read the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("revision", help="the earlier tree, as git names it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--orders", type=int, default=2000)
    arguments = parser.parse_args()
    per_s: dict[tuple[str, int], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "earlier"
        _git("worktree", "add", "--detach", str(earlier), arguments.revision)
        try:
            for number in range(arguments.rounds):
                # Who goes first changes, for the second meets a warmer machine.
                turns = [("before", earlier), ("after", FOLDER)]
                for name, tree in turns if number % 2 == 0 else reversed(turns):
                    for latency_ms, rate, cpu_ms, load in _turn(tree, arguments.orders):
                        per_s[name, latency_ms].append(rate)
                        print(
                            f"round {number + 1} {name:6} {latency_ms:3} ms: {rate:7.1f} orders/s, "
                            f"CPU {sum(cpu_ms.values()):.2f} ms an order, load {load:.1f}",
                            flush=True,
                        )
        finally:
            _git("worktree", "remove", "--force", str(earlier))
    for latency_ms in sorted({latency_ms for _name, latency_ms in per_s}):
        before, after = median(per_s["before", latency_ms]), median(per_s["after", latency_ms])
        print(f"{latency_ms:3} ms: before {before:.1f}, after {after:.1f} orders/s, {after / before:.0%}")


def _turn(tree: Path, orders: int) -> list[tuple[int, float, dict[str, float], float]]:
    done = subprocess.run(
        [sys.executable, "-c", _TURN, str(orders)], cwd=tree, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{tree} failed:\n{done.stderr[-4000:]}")
    lines = [line.removeprefix("FIGURES ") for line in done.stdout.splitlines() if line.startswith("FIGURES")]
    return [tuple(json.loads(line)) for line in lines]


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=FOLDER, check=True, capture_output=True)


if __name__ == "__main__":
    main()
