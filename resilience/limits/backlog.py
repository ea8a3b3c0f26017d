"""How far the sagas of the fleet are behind: the age of what has been due longest, over the pulse.

Orders are taken in by other processes than those that settle them, so that no queue of this process shows it.
"""

import time
from typing import Any

from resilience import pulse
from resilience.pulse import Member, Query

# The oldest but this many: a saga that nobody can carry must not close the shop, and less than a
# message's worth of sagas (resilience/saga/dispatch.py) is no backlog.
_OLDER_IGNORED = 32
# Twice what a fleet with room takes to begin with a saga that is due.
WAIT_S = 0.2
# Without an answer for this long, nothing is known, and nobody is turned away for it.
_KNOWN_FOR_S = 10.0
_AGE_S = """
SELECT extract(epoch FROM clock_timestamp() - due_at)::float8 FROM resilience_saga
WHERE due_at <= clock_timestamp() ORDER BY due_at OFFSET %s LIMIT 1
"""
_UNCLAIMED_S = """
SELECT extract(epoch FROM clock_timestamp() - due_at)::float8 FROM resilience_saga
WHERE due_at <= clock_timestamp() AND (lease_until IS NULL OR lease_until < clock_timestamp())
ORDER BY due_at OFFSET %s LIMIT 1
"""


class Backlog(Member):
    """The member of the pulse that knows."""

    name = "saga-backlog"

    def __init__(self) -> None:
        self._age_s = 0.0
        self._asked_at = float("-inf")

    @property
    def age_s(self) -> float:
        """How long the oldest sagas have been due, in seconds; 0 when none are, or when it is not known."""
        return self._age_s if time.monotonic() - self._asked_at < _KNOWN_FOR_S else 0.0

    def question(self, alias: str) -> Query | None:
        """Ask the primary."""
        return Query(_AGE_S, (_OLDER_IGNORED,)) if alias == "default" else None

    def answer(self, alias: str, value: Any, asked_at: float) -> None:
        """Keep the age."""
        if alias == "default":
            self._age_s, self._asked_at = float(value or 0.0), asked_at

    def forget(self) -> None:
        """Know nothing yet."""
        self._asked_at = float("-inf")


class Unclaimed(Member):
    """Knows how long sagas that no worker has taken have been due; asks as long as somebody wants to know.

    Apart from `Backlog`: a saga that is carried is due too, and where a gateway takes seconds nobody waits
    for a worker.
    """

    name = "unclaimed-sagas"

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing yet, and ask nothing until somebody wants it."""
        self.is_wanted = False
        self._age_s = 0.0
        self._asked_at = float("-inf")

    @property
    def age_s(self) -> float:
        """How long the oldest of them have been due, in seconds; 0 when none are, or when it is not known."""
        return self._age_s if time.monotonic() - self._asked_at < _KNOWN_FOR_S else 0.0

    def question(self, alias: str) -> Query | None:
        """Ask the primary, if it is wanted."""
        return Query(_UNCLAIMED_S, (_OLDER_IGNORED,)) if alias == "default" and self.is_wanted else None

    def answer(self, alias: str, value: Any, asked_at: float) -> None:
        """Keep the age."""
        if alias == "default":
            self._age_s, self._asked_at = float(value or 0.0), asked_at


backlog = Backlog()
_unclaimed = Unclaimed()
pulse.join(backlog)
pulse.join(_unclaimed)


def orders_wait() -> bool:
    """Tell whether sagas wait for workers longer than a fleet with room lets them; from memory."""
    _unclaimed.is_wanted = True
    return _unclaimed.age_s > WAIT_S
