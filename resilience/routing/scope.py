"""Who may read the replica: code inside `replica_reads`, and nobody else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from django.db import InterfaceError, OperationalError, connections
from psycopg.errors import QueryCanceled

from resilience.routing import watcher
from resilience.routing.databases import PRIMARY, REPLICA
from resilience.routing.tokens import CausalityToken


@dataclass(slots=True)
class ReadScope:
    """What one request or task reads from: decided at its first read, then kept.

    Kept, because two reads of one answer from two servers could contradict each other.
    """

    token: CausalityToken | None
    outer: "ReadScope | None"
    database: str | None = None
    replica_failed: bool = False

    def choose_database(self) -> str:
        """Return the alias to read from."""
        if self.database is None:
            self.database = REPLICA if self._replica_serves() else PRIMARY
        return self.database

    def note_write(self) -> None:
        """Read the primary from here on, here and in the scopes around."""
        self.database = PRIMARY
        if self.outer is not None:
            self.outer.note_write()

    def _replica_serves(self) -> bool:
        state = watcher.replica_state()
        if state is None or (self.token is not None and not state.has_replayed(self.token)):
            return False
        try:
            connections[REPLICA].ensure_connection()
        except OperationalError:
            # It died since it was last seen, or its pool is full: nothing was read yet.
            watcher.leave_replica_out()
            return False
        return self.token is None or _was_connected_by(state.seen_at)

    def _note_failure(self, execute: Callable[..., Any], *query: Any) -> Any:
        """Wrap each query on the replica (Django's `execute_wrapper`)."""
        try:
            return execute(*query)
        except (OperationalError, InterfaceError) as error:
            # A query over its time limit is the query's fault; the primary would be slow as well.
            # A recovery conflict (40001) is the replica's, and counts.
            if not isinstance(error.__cause__, QueryCanceled):
                self.replica_failed = True
                watcher.leave_replica_out()
                # Django keeps a dead connection until the request ends; workers have no requests.
                connections[REPLICA].close_if_unusable_or_obsolete()
            raise


# When each connection to the replica was first met here.
_met_at: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

# None: nobody allowed the replica, so everything reads the primary.
_current: ContextVar[ReadScope | None] = ContextVar("read_scope", default=None)


@contextmanager
def replica_reads(*, token: CausalityToken | None = None) -> Iterator[ReadScope]:
    """Let reads in this block use the replica, once it has replayed `token` (None: at any lag).

    Not inside `atomic`, not after a write, and not within `primary_only`. Money is never decided here.
    """
    outer = _current.get()
    settled = PRIMARY if outer is not None and outer.database == PRIMARY else None
    scope = ReadScope(token=token, outer=outer, database=settled)
    with connections[REPLICA].execute_wrapper(scope._note_failure), _entered(scope):
        yield scope


@contextmanager
def primary_only() -> Iterator[None]:
    """Let every read in this block use the primary, whatever the code inside asks for."""
    with _entered(ReadScope(token=None, outer=_current.get(), database=PRIMARY)):
        yield


def current_scope() -> ReadScope | None:
    """Return the scope that reads here belong to; None where everything reads the primary."""
    return _current.get()


def database_for_reads() -> str:
    """Return the alias that a read here and now belongs to; for SQL that no router sees, too."""
    scope = _current.get()
    # Routers are not told of transactions: a read of what this one has written must stay in it.
    if scope is None or connections[PRIMARY].in_atomic_block:
        return PRIMARY
    return scope.choose_database()


def database_for_writes() -> str:
    """Return the primary, and keep the reads that follow in this scope with it."""
    scope = _current.get()
    if scope is not None:
        scope.note_write()
    return PRIMARY


def _was_connected_by(seen_at: float) -> bool:
    """Tell whether this thread's connection to the replica is older than the last sight of it.

    A crash ends every connection and may set replay back by a moment. So what was seen holds for a
    connection that lived then and lives still; a newer one waits for the next sight.
    """
    return _met_at.setdefault(connections[REPLICA].connection, time.monotonic()) <= seen_at


@contextmanager
def _entered(scope: ReadScope) -> Iterator[None]:
    reset = _current.set(scope)
    try:
        yield
    finally:
        _current.reset(reset)
