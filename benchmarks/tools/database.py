"""Read routing and failover, beside the strategies of others (benchmarks/routing_rounds.py)."""

import json
import subprocess
import sys
from typing import Any

from benchmarks.tools.row import Row

_DECISION_US_MAX = 5.0
_REPLICA_SHARE_MIN = 0.8
_WRITES_AGAIN_S_MAX = 10.0
_PAIRS_MIN = 100_000
_OTHERS = ("sticky 15 s", "every read on the replica")


def measure(*, short: bool) -> list[Row]:
    """Measure in a process of its own: it has servers of its own, and loses them."""
    command = [sys.executable, "-m", "benchmarks.routing_rounds", *(["--short"] if short else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return _rows(json.loads(done.stdout.splitlines()[-1]), short=short)


def _rows(found: dict[str, Any], *, short: bool) -> list[Row]:
    steady, random, promotion = found["lag 1 s"], found["random lag"], found["promotion"]
    ours, lag = random["ours"], f"{found['lag_s_max']:.0f} s"
    return [
        Row(
            "router decision, median",
            f"{found['decision_us']:.1f} µs, no network call",
            f"≤ {_DECISION_US_MAX:.0f} µs",
            holds=found["decision_us"] <= _DECISION_US_MAX,
        ),
        Row(
            f"reads that miss their own write; lag by chance to {lag}, half of it without Redis",
            f"{ours['violations']} of {ours['reads']:,}",
            f"0 of {_PAIRS_MIN:,}",
            _peers(random, "violations"),
            holds=ours["violations"] == 0 and (short or ours["reads"] >= _PAIRS_MIN),
        ),
        Row(
            "reads that miss their own write, over kill -9 and a promotion",
            f"{promotion['violations']} of {promotion['reads']:,}",
            "0",
            holds=promotion["violations"] == 0,
        ),
        Row(
            "reads on the replica at 1 s lag; a session acts every 3 s, writes 1 in 10",
            f"{steady['ours']['replica_share']:.0%}",
            f"≥ {_REPLICA_SHARE_MIN:.0%}",
            _peers(steady, "replica_share"),
            holds=steady["ours"]["replica_share"] >= _REPLICA_SHARE_MIN,
        ),
        Row(
            "writes again after kill -9 of the primary and a promotion, same process",
            f"{promotion['writes_again_s']:.1f} s",
            f"≤ {_WRITES_AGAIN_S_MAX:.0f} s",
            holds=promotion["writes_again_s"] <= _WRITES_AGAIN_S_MAX,
        ),
    ]


def _peers(found: dict[str, Any], figure: str) -> str:
    form = "{}: {:.0%}" if figure == "replica_share" else "{}: {}"
    return " · ".join(form.format(name, found[name][figure]) for name in _OTHERS)
