"""Many callers at the same moment: threads that meet at a barrier with their connections open."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import TypeVar

from django.db import connection

LIMIT_S = 60.0
Result = TypeVar("Result")


def at_once(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Make all `calls` at one moment, each on a thread of its own; return what they returned, in order."""
    barrier, connecting = Barrier(len(calls)), Lock()

    def together(call: Callable[[], Result]) -> Result:
        try:
            with connecting:  # one after the other: fifty at once outlast the time-out on a busy machine
                connection.ensure_connection()
            barrier.wait(LIMIT_S)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(LIMIT_S) for future in [pool.submit(together, call) for call in calls]]
