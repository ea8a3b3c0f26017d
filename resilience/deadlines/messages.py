"""How a deadline travels in a Celery message: as a moment, for nobody counts how long a message waits.

The machines' clocks have to agree to a fraction of the seconds that this is about.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

from resilience.deadlines.deadline import remaining_s

HEADER = "holdfast_deadline"


def stamp(headers: MutableMapping[str, Any], *, now: float) -> None:
    """Write the deadline of this thread's work, if it has one, into a message; `now` as Unix time."""
    left_s = remaining_s()
    if left_s is not None:
        headers[HEADER] = now + left_s


def left_of(headers: Mapping[str, Any], *, now: float) -> float | None:
    """Return what a message's stamp leaves in seconds, below zero when it is over; None without one."""
    moment = headers.get(HEADER)
    return moment - now if isinstance(moment, int | float) else None
