"""One game day at a time: a lock that lasts as long as the process that has it, whoever dies.

The danger: two at once, whose faults nobody could tell apart.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

_LOCK = "lock"
# Whoever only looks has it for a moment.
_TRIES, _PAUSE_S = 10, 0.05


class UnderWayError(Exception):
    """One is held already."""


@contextlib.contextmanager
def held_lock(folder: Path) -> Iterator[int]:
    """Hold the lock of the game days in `folder`; yields its descriptor, for a process that takes it over.

    Raises UnderWayError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        for _try in range(_TRIES):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(_PAUSE_S)
        else:
            raise UnderWayError("A game day is under way on this stack: wait for its end.")
        yield descriptor
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Tell whether a game day is under way; writes nothing."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
