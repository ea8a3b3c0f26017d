"""Other processes: waiting for what they do, with a limit instead of a sleep for luck, and freezing them."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
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
    except (FileNotFoundError, ProcessLookupError):  # it was gone before, or ended while we read
        return False
    return state != "Z"


def freeze(pids: Iterable[int]) -> list[int]:
    """Let processes stand still with their children, and return all of them.

    A postmaster's sessions are processes of their own, and would go on. It is stopped first, so that no
    session begins meanwhile; one that ends meanwhile is none.
    """
    stopped = []
    for pid in pids:
        _signal([pid], signal.SIGSTOP)
        children = children_of(pid)
        _signal(children, signal.SIGSTOP)
        stopped += [pid, *children]
    return stopped


def thaw(pids: Iterable[int]) -> None:
    """Let frozen processes go on; a session that was killed while it stood is gone by now."""
    _signal(pids, signal.SIGCONT)


@contextmanager
def frozen(pids: Iterable[int]) -> Iterator[None]:
    """Let processes stand still, with their children, within this block."""
    stopped = freeze(pids)
    try:
        yield
    finally:
        thaw(stopped)


def children_of(pid: int) -> list[int]:
    """Return the processes that `pid` has begun and that it has not yet waited for."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
