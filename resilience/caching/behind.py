"""Work behind a reader's back: refreshing what is served already, and looking for a lost Redis."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import close_old_connections

logger = logging.getLogger(__name__)

# Refreshing competes with requests for one interpreter and for connections: two are enough for hundreds
# of refreshes a second of a query of some milliseconds.
_THREADS = 2
# What waits beyond this was asked for faster than it can be done; it is asked for again by the next reader.
_WAITING_MAX = 100


class Behind:
    """A few threads and the names of the jobs they have; a job whose name is taken is not taken again."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, name: str, job: Callable[[], object]) -> bool:
        """Do `job` soon; False when one of that name is under way, or too many wait."""
        with self._lock:
            if name in self._names or len(self._names) >= _WAITING_MAX:
                return False
            self._names.add(name)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="cache")
            pool = self._pool
        try:
            pool.submit(self._run, name, job)
        except RuntimeError:  # the interpreter is ending
            self._forget(name)
            return False
        return True

    def _run(self, name: str, job: Callable[[], object]) -> None:
        try:
            close_old_connections()
            job()
        except Exception:
            logger.warning("A job behind the cache failed.", extra={"job": name}, exc_info=True)
        finally:
            # Before the connection goes back to its pool: a test that waits for the name sees it gone.
            close_old_connections()
            self._forget(name)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._names.discard(name)

    @property
    def is_idle(self) -> bool:
        """Nothing is under way."""
        return not self._names
