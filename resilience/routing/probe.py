"""A daemon thread that asks one database server for its position, four times a second."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connections

logger = logging.getLogger(__name__)

# A caught-up replica is used again within this. Halved, it costs twice the queries (8/s a process);
# doubled, the reads after a write stay on the primary for twice as long.
INTERVAL_S = 0.25
# libpq counts in whole seconds, takes 1 as 2, and applies it to each address of a host name.
_CONNECT_TIMEOUT_S = 2
# A server behind a cut wire is given up after about 4 s; without these, after hours.
_NETWORK_LIMITS = {
    "connect_timeout": _CONNECT_TIMEOUT_S,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 2000,
}


class WrongServerError(Exception):
    """The server answered, but it is not the primary or the replica that it should be."""


class Probe:
    """Asks over a connection of its own; calls `see(timeline, position, seen_at)`, or `lose()`.

    `seen_at` is the monotonic time before the question. No failure ends the thread.
    """

    def __init__(
        self, *, alias: str, question: str, see: Callable[[int, int, float], None], lose: Callable[[], None]
    ) -> None:
        self._alias = alias
        self._question = question
        self._see = see
        self._lose = lose
        self._connection: psycopg.Connection[Any] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{alias}", daemon=True)
        self.tried_once = threading.Event()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread and its connection, unless the server holds it fast."""
        self._stopping.set()
        self._thread.join(timeout=_CONNECT_TIMEOUT_S + INTERVAL_S)

    def run_once(self) -> None:
        """Ask once, and tell what came of it."""
        seen_at = time.monotonic()
        try:
            timeline, position = self._ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread must live to see its end
            logger.debug(
                "A database server did not answer.", extra={"server": self._alias, "error": repr(error)}
            )
            self._disconnect()
            self._lose()
        else:
            self._see(timeline, position, seen_at)
        self.tried_once.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.run_once()
            self._stopping.wait(INTERVAL_S)
        self._disconnect()

    def _ask(self) -> tuple[int, int]:
        if self._connection is None:
            # Django's own connection would be one of a web thread's pool, with its limits and waits.
            parameters = connections[self._alias].get_connection_params()
            self._connection = psycopg.connect(**{**parameters, **_NETWORK_LIMITS}, autocommit=True)
        row = self._connection.execute(self._question).fetchone()
        if row is None:
            raise WrongServerError(self._alias)
        return row[0], row[1]

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
