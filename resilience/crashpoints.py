"""Named places at which a test makes this process die, raise or hang. Inert unless armed.

A claim about crashes is tested by a crash, and random kills miss windows of a few milliseconds:
so every boundary between a call and a commit has a name (tests/crash sweeps them all).
"""

import os
import signal
import time
from collections.abc import Callable
from enum import StrEnum


class Fault(StrEnum):
    """What happens at an armed point."""

    KILL = "kill"
    RAISE = "raise"
    HANG = "hang"


class CrashpointError(Exception):
    """Raised at a point armed with `Fault.RAISE`."""


_armed: dict[str, Callable[[], None]] = {}


def crashpoint(name: str) -> None:
    """Do nothing, unless `arm` named this point."""
    if _armed and name in _armed:
        _armed.pop(name)()


def arm(name: str, fault: Fault, *, hang_s: float = 0.0) -> None:
    """Let the next passage of `name` in this process kill it, raise, or hang for `hang_s` seconds.

    Raises RuntimeError in production.
    """
    from django.conf import settings

    if not settings.CRASHPOINTS:
        raise RuntimeError("crash points cannot be armed in production")
    _armed[name] = lambda: _strike(name, fault, hang_s)


def is_armed(name: str) -> bool:
    """Tell whether `name` was armed and has not been passed since."""
    return name in _armed


def disarm_all() -> None:
    """Forget every armed point."""
    _armed.clear()


def _strike(name: str, fault: Fault, hang_s: float) -> None:
    match fault:
        case Fault.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Fault.RAISE:
            raise CrashpointError(name)
        case Fault.HANG:
            time.sleep(hang_s)
