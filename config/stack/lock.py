"""One stack per folder: a file lock that the kernel lets go of however its holder ends."""

import fcntl
import os
import time
from pathlib import Path

_LOCK_FILE = "lock"
# Whoever asks `is_held` holds the lock for an instant; a start outwaits that.
_CLAIM_LIMIT_S = 0.5
_CLAIM_PAUSE_S = 0.02


class AlreadyHeldError(Exception):
    """Another process holds the lock."""


def claim(directory: Path) -> None:
    """Hold the lock of `directory` until this process ends; raise AlreadyHeldError when another does.

    Never given back earlier: who waits for it waits for the end of the process.
    """
    descriptor = os.open(directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    _lock(descriptor)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def is_held(directory: Path) -> bool:
    """Tell whether a process holds the lock of `directory`."""
    try:
        descriptor = os.open(directory / _LOCK_FILE, os.O_RDONLY)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(directory: Path) -> int | None:
    """Return the process id of whoever holds the lock of `directory`."""
    if not is_held(directory):
        return None
    content = (directory / _LOCK_FILE).read_text()
    return int(content) if content.isdigit() else None


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _CLAIM_LIMIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise AlreadyHeldError from None
            time.sleep(_CLAIM_PAUSE_S)
        else:
            return
