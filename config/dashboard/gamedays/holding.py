"""Starting a game day beside the web process that was asked to, and seeing whether one is under way.

The danger: two at once, whose faults nobody could tell apart, and one whose web process the fault kills. So
it is a process of its own, which holds a lock as long as it lives: that came with the file it was given.
"""

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings

from config.stack.state import HOLDFAST_DIRECTORY, read_state
from resilience.errors import Refusal

_LOCK, _LOG = "lock", "log"
# What a page shows of a game day under way.
_LOG_CHARS = 8_000
_TRIES, _PAUSE_S = 10, 0.05


class GameDayUnderWayError(Refusal):
    """One is held already, and its faults would be taken for this one's."""

    code = "game_day_under_way"


class NoSandboxError(Refusal):
    """This process belongs to no embedded stack: there is nothing that may be broken."""

    code = "no_sandbox"


@dataclass(frozen=True)
class UnderWay:
    """The game day that is held now. `log` is the end of what it says."""

    log: str


def folder() -> Path:
    """Return where the reports are."""
    return Path(settings.BASE_DIR) / HOLDFAST_DIRECTORY / "gamedays"


def is_possible() -> bool:
    """Tell whether this process belongs to an embedded stack, whose gateways are sandboxes."""
    return not settings.PRODUCTION and read_state(Path(settings.BASE_DIR)) is not None


def under_way() -> UnderWay | None:
    """Return the game day that is held now, None when none is."""
    try:
        with _locked(fcntl.LOCK_SH):
            return None
    except BlockingIOError:
        return UnderWay(log_text())


def log_text() -> str:
    """Return the end of what the last game day from the dashboard said, "" when there was none."""
    try:
        return (folder() / _LOG).read_text(errors="replace")[-_LOG_CHARS:]
    except FileNotFoundError:
        return ""


def begin(scenario: str, *, rate: float | None, is_short: bool, now: datetime) -> None:
    """Start it and return at once. Raises GameDayUnderWayError and NoSandboxError."""
    if not is_possible():
        raise NoSandboxError("Game days break things on purpose: only an embedded stack may be broken.")
    command = [sys.executable, "manage.py", "gameday", scenario]
    command += ["--rate", f"{rate:g}"] if rate else []
    command += ["--short"] if is_short else []
    with _held_lock() as lock, (folder() / _LOG).open("w") as log:
        log.write(f"{now:%Y-%m-%d %H:%M:%S} UTC {' '.join(command[1:])}\n")
        log.flush()
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            # Without ours: it asks the stack itself where things are.
            env={name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            start_new_session=True,
        )
    # So that it leaves no zombie while this process lives.
    threading.Thread(target=process.wait, name="gameday", daemon=True).start()


@contextlib.contextmanager
def _held_lock() -> Iterator[int]:
    """Hold the lock, or raise GameDayUnderWayError; whoever only looks has it for a moment."""
    with contextlib.ExitStack() as held:
        for _try in range(_TRIES):
            with contextlib.suppress(BlockingIOError):
                lock = held.enter_context(_locked(fcntl.LOCK_EX))
                break
            time.sleep(_PAUSE_S)
        else:
            raise GameDayUnderWayError("A game day is under way: wait for its end.")
        yield lock


@contextlib.contextmanager
def _locked(kind: int) -> Iterator[int]:
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / _LOCK).open("w") as file:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        yield file.fileno()
