"""A running process of the stack, in a session of its own, which dies with the supervisor.

Start children from the main thread only: the kernel's parent-death signal is tied to the thread
that started the child, and comes as soon as that thread ends.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from config.stack.part import Part

_PR_SET_PDEATHSIG = 1


class Child:
    """A started part. `launch` is the only way to make one."""

    def __init__(self, part: Part, process: subprocess.Popen[bytes]) -> None:
        self.part = part
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def pids(self) -> list[int]:
        """Return its process id, followed by those of the processes it forked, where that can be seen.

        PostgreSQL's own children are left out: they are its affair and change by the second.
        """
        if self.exit_code is not None:
            return []
        if self.part.name.startswith("postgres"):
            return [self.pid]
        return [self.pid, *_forked_by(self.pid)]

    def ask_to_stop(self) -> None:
        if self.exit_code is None:
            self._process.send_signal(self.part.stop_signal)

    def wait(self, limit_s: float) -> bool:
        """Tell whether it ended within the limit."""
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill_what_is_left(self) -> None:
        """Kill its whole process group: itself, and forked processes that outlived it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def launch(part: Part, *, log: Path) -> Child:
    """Start `part` with its output appended to `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            part.command,
            cwd=part.directory,
            env={**os.environ, **part.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_dying_with_parent(part.orphan_signal),
            **part.account.popen_arguments,
        )
    return Child(part, process)


def _dying_with_parent(orphan_signal: signal.Signals) -> Callable[[], None] | None:
    """Return what a child runs before exec; None where the kernel has no parent-death signal (macOS)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent_pid = os.getpid()

    def set_parent_death_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, int(orphan_signal))
        if os.getppid() != parent_pid:
            os._exit(1)

    return set_parent_death_signal


def _forked_by(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
