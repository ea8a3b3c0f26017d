"""Group commit: the effects of concurrent requests share one transaction, and one wait for the disk.

Work runs on the event loop's thread, one piece after the other, so nothing in the book needs a lock.
Only COMMIT, which waits for the disk without holding the interpreter, runs on a thread of its own;
meanwhile the loop reads the next requests, which form the next group. An answer is released only after
the commit that holds its effect.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# Pieces of work per commit. It bounds how long the loop is kept from its sockets (about 0.2 ms each).
GROUP_MAX = 64
# Notes (work that nobody waits for) reach the disk within this time, or with the next group.
NOTES_WAIT_S = 0.2

Work = Callable[[], Any]


class GroupCommit:
    """The only writer of one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._queue: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._notes: list[Work] = []
        self._wanted = asyncio.Event()
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def run(self, work: Work) -> Any:
        """Run `work` and return its result once it is durable.

        If `work` raises, its own writes are undone and the error comes out here.
        """
        future = asyncio.get_running_loop().create_future()
        self._queue.append((work, future))
        self._wanted.set()
        return await future

    def note(self, work: Work) -> None:
        """Run `work` soon; a crash in the next moments may lose it."""
        self._notes.append(work)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(NOTES_WAIT_S, self._wanted.set)

    async def failed(self) -> None:
        """Wait until the book cannot be written any more, and raise why."""
        await asyncio.shield(self._task)

    async def close(self) -> None:
        """Commit what is waiting, then stop."""
        self._closing = True
        self._wanted.set()
        await self._task
        self._disk.shutdown()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not (self._closing and not self._queue and not self._notes):
            await self._wanted.wait()
            self._wanted.clear()
            while self._queue or self._notes:
                done = self._execute_group()
                await loop.run_in_executor(self._disk, self._connection.commit)
                for future, result, error in done:
                    _settle(future, result, error)

    def _execute_group(self) -> list[tuple[asyncio.Future[Any], Any, Exception | None]]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._connection.execute("BEGIN IMMEDIATE")
        notes, self._notes = self._notes, []
        for note in notes:
            note()
        done = []
        for _ in range(min(GROUP_MAX, len(self._queue))):
            work, future = self._queue.popleft()
            done.append((future, *self._attempt(work)))
        return done

    def _attempt(self, work: Work) -> tuple[Any, Exception | None]:
        self._connection.execute("SAVEPOINT work")
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  it is handed to the one who waits
            self._connection.execute("ROLLBACK TO work")
            self._connection.execute("RELEASE work")
            return None, error
        self._connection.execute("RELEASE work")
        return result, None


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
