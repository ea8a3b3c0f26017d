"""Who may run now, and what was found lately."""

import threading
from collections.abc import Callable
from typing import Any

from config.dashboard.lab.asked import Asked
from config.dashboard.lab.errors import LabBusy

# From 5 to 360 kB of JSON each. The cache in Redis is for what is in the database, and a finding never
# changes: so each process keeps its own, which nothing needs to void.
KEPT_MAX = 16
# Most runs are over by then.
RETRY_AFTER_S = 5

Finding = dict[str, Any]


class Desk:
    """Makes one run at a time and remembers the last `KEPT_MAX` findings. Thread-safe."""

    def __init__(self, *, run: Callable[[Asked], Finding]) -> None:
        self._run = run
        self._running = threading.Lock()
        self._kept: dict[Asked, Finding] = {}

    def find(self, asked: Asked) -> Finding:
        """Return the finding as its JSON object, from memory or by running.

        Raises LabBusy at once when it would have to run beside another, and what the run raises.
        """
        kept = self._kept.get(asked)
        if kept is not None:
            return kept
        if not self._running.acquire(blocking=False):
            raise LabBusy(
                "Somebody else's run is under way, and a web process makes one at a time, so that orders "
                f"are not kept waiting. Ask again in {RETRY_AFTER_S} s, or run the command.",
                retry_after_s=RETRY_AFTER_S,
            )
        try:
            found = self._run(asked)
            self._keep(asked, found)
        finally:
            self._running.release()
        return found

    def _keep(self, asked: Asked, found: Finding) -> None:
        """Keep it instead of the oldest; only whoever runs writes here."""
        self._kept[asked] = found
        if len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]
