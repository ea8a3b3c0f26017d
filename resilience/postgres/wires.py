"""The open connections of this process, and the knife: a server that is frozen lets go of nobody."""

import contextlib
import os
import socket
import threading
from typing import Any
from weakref import WeakKeyDictionary

import psycopg

from resilience.postgres.servers import place_of


class Wires:
    """Remembers which alias each open connection belongs to, for as long as the connection lives."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know of none: a forked child must not cut what is its parent's."""
        self._lock = threading.Lock()
        self._aliases: WeakKeyDictionary[Any, str] = WeakKeyDictionary()

    def note(self, alias: str, connection: Any) -> None:
        """Remember an open psycopg connection."""
        with self._lock:
            self._aliases[connection] = alias

    def cut_all_but(self, *, place: str, alias: str) -> int:
        """Cut the connections of `alias` that lead elsewhere than to `place` ("": all); return how many.

        Whoever waits on one gets an OperationalError at once. What a commit under way came to is then
        unknown to them, as with any connection that breaks.
        """
        with self._lock:
            found = [connection for connection, of in self._aliases.items() if of == alias]
        elsewhere = [one for one in found if place_of(one) not in (place, None)]
        return sum(cut(connection) for connection in elsewhere)


def cut(connection: Any) -> bool:
    """Shut a connection's socket, from any thread; tell whether there was one."""
    # A copy, and looked at: its owner may close it now, and its number be somebody else's next.
    with (
        contextlib.suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as wire,
    ):
        if wire.family == socket.AF_UNIX or wire.getpeername()[1] == connection.info.port:
            wire.shutdown(socket.SHUT_RDWR)
            return True
    return False


# One a process, as the connections are.
wires = Wires()
os.register_at_fork(after_in_child=wires.forget)
