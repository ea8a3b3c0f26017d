"""`python -m resilience.lab`: one run in a process that gives way to every other, for a server to start.

The danger: a run takes seconds of CPU, and in a server's own process it would share the interpreter with
orders. A process of its own can be nice, bounded and killed.
It reads no database; the caching that it simulates cannot be imported without DJANGO_SETTINGS_MODULE.

Its input is one JSON object: `experiment`, `values`, `seed`, and `limit_s`, after which it ends by itself.
Its output is the finding as JSON, to the byte what `manage.py lab EXPERIMENT --json` prints.
"""

import json
import os
import resource
import signal
import sys

from resilience.lab import experiments
from resilience.lab.findings import as_json

# The least of all: whoever else wants the processor gets it.
NICENESS = 19
# Four times what the greediest run took (cache at its upper bounds, 246 MB); without it a mistake takes the
# machine's memory from the database.
MEMORY_MAX_BYTES = 1 << 30


def main() -> None:
    """Run what the input asks for."""
    asked = json.load(sys.stdin)
    _give_way(limit_s=asked["limit_s"])
    finding = experiments()[asked["experiment"]].run(values=asked["values"], seed=asked["seed"])
    sys.stdout.write(as_json(finding))


def _give_way(*, limit_s: float) -> None:
    os.nice(NICENESS)
    # Nobody handles the signal, so that it ends this process, even when whoever started it is dead by then.
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    # macOS refuses to limit addresses.
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        allowed = MEMORY_MAX_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_MAX_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))


if __name__ == "__main__":
    main()
