"""Starting a game day beside the web process that was asked to, and seeing whether one is under way.

The danger: two at once, whose faults nobody could tell apart, and one whose web process the fault kills. So
it is a process of its own, which holds a lock as long as it lives: that came with the file it was given.
"""

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings

from config.gameday.one_at_a_time import UnderWayError, held_lock, is_held
from config.stack.state import HOLDFAST_DIRECTORY, read_state
from resilience.errors import Refusal

_LOG = "log"
# What a page shows of a game day under way.
_LOG_CHARS = 8_000


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


def has_proxies() -> bool:
    """Tell whether the stack has proxies between its parts, which some scenarios need."""
    running = read_state(Path(settings.BASE_DIR))
    return running is not None and running.get("proxy") is not None


def under_way() -> UnderWay | None:
    """Return the game day that is held now, None when none is."""
    return UnderWay(log_text()) if is_possible() and is_held(folder()) else None


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
    try:
        _start(command, now=now)
    except UnderWayError as error:
        raise GameDayUnderWayError(str(error)) from error


def _start(command: list[str], *, now: datetime) -> None:
    with held_lock(folder()) as lock, (folder() / _LOG).open("w") as log:
        log.write(f"{now:%Y-%m-%d %H:%M:%S} UTC {' '.join(command[1:])}\n")
        log.flush()
        process = subprocess.Popen(
            [*command, "--lock", str(lock)],
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
