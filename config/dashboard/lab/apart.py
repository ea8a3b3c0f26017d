"""A run in a process of its own, with a time limit: it shares no interpreter with orders, and gives way."""

import json
import logging
import subprocess
import sys
from typing import Any

from django.conf import settings
from django.db import connections

from config.dashboard.lab.asked import Asked
from config.dashboard.lab.errors import RunBroken, RunTooLong

logger = logging.getLogger(__name__)

# What a person waits for, and a thread of eight is away for. Halved, defaults are cut off on a busy machine;
# doubled, proxies give up first.
LIMIT_S = 20.0
# It ends by itself so much later, should nobody be there to kill it.
ALONE_S = 2.0
_SAID_MAX = 2000


def run_apart(asked: Asked, *, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """Return the finding as its JSON object (`resilience.lab.findings`).

    Raises RunTooLong when it is not there within `limit_s`, RunBroken when its process fails.
    Closes the connections of this thread: it needs none while it waits, and others may.
    """
    connections.close_all()
    request = {
        "experiment": asked.experiment,
        "values": dict(asked.settings),
        "seed": asked.seed,
        "limit_s": limit_s + ALONE_S,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "resilience.lab"],
            cwd=settings.BASE_DIR,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunTooLong(
            f"The run was cut off after {limit_s:g} s, which is as long as a page may compute. "
            "Ask for less, or run the command, which has no limit.",
            command=asked.command,
        ) from error
    if done.returncode != 0:
        logger.error(
            "A run of the lab broke.",
            extra={"command": asked.command, "status": done.returncode, "said": done.stderr[-_SAID_MAX:]},
        )
        raise RunBroken("The run broke, and the log says why. Run the command to see it.")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
