"""Waiting for other processes to do something, with a limit instead of a sleep for luck."""

import time
from collections.abc import Callable
from pathlib import Path

LIMIT_S = 20.0
_PAUSE_S = 0.02


def wait_until(
    condition: Callable[[], object],
    *,
    limit_s: float = LIMIT_S,
    meanwhile: Callable[[], object] | None = None,
) -> None:
    """Return when `condition` holds, calling `meanwhile` in between; fail after the limit."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"waited longer than {limit_s:.0f} s"
        if meanwhile is not None:
            meanwhile()
        time.sleep(_PAUSE_S)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
