"""Processes of PostgreSQL that outlive their postmaster, found by where they work."""

import contextlib
import os
import signal
import time
from pathlib import Path

from config.stack.errors import StackError

# Before a start, processes that a killed postmaster left behind get this long to notice it.
_LEFTOVERS_LIMIT_S = 5.0
_LEFTOVERS_PAUSE_S = 0.02


def clear_leftovers(directory: Path) -> None:
    """Wait for, then kill, processes of a dead postmaster, and remove its lock file.

    They hold the shared memory, without which a new postmaster does not start. The lock file would
    stop it as well, if the process id in it belongs to somebody else by now.
    """
    deadline = time.monotonic() + _LEFTOVERS_LIMIT_S
    while leftovers := processes_working_in(directory):
        if time.monotonic() > deadline:
            _kill(leftovers)
            deadline += _LEFTOVERS_LIMIT_S
        time.sleep(_LEFTOVERS_PAUSE_S)
    (directory / "postmaster.pid").unlink(missing_ok=True)


def kill_at_once(directory: Path) -> None:
    """Kill what works in `directory` and see it gone: a backend without its postmaster may still commit.

    Raises StackError when something does not die.
    """
    deadline = time.monotonic() + _LEFTOVERS_LIMIT_S
    while leftovers := processes_working_in(directory):
        if time.monotonic() > deadline:
            raise StackError(f"Processes {leftovers} in {directory} do not die, not even by SIGKILL.")
        _kill(leftovers)
        time.sleep(_LEFTOVERS_PAUSE_S)


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def processes_working_in(directory: Path) -> list[int]:
    """Return the processes whose working directory is `directory`; none where there is no /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == directory:
                found.append(int(entry.name))
    return found
