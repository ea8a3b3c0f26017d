"""Who may read the replica: code inside `replica_reads`, and nobody else."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.db import InterfaceError, OperationalError, connections
from psycopg.errors import QueryCanceled

from resilience.postgres.servers import place_of
from resilience.routing import watcher
from resilience.routing.databases import PRIMARY, REPLICA
from resilience.routing.flags import REPLICA_READS
from resilience.routing.permits import fallback_reads
from resilience.routing.states import ReplicaState
from resilience.routing.tokens import CausalityToken

T = TypeVar("T")

# A replica that is this little behind answers again in a moment. What its readers' own writes send to the
# primary meanwhile is no loss of the replica, and is not bounded as one.
LAG_S_USUAL = 1.0


@dataclass(slots=True)
class ReadScope:
    """What one request or task reads from: decided at its first read, then kept.

    Kept, because two reads of one answer from two servers could contradict each other.
    `replica` is the alias of the replica to use: a workload may have one of its own.
    """

    tokens: tuple[CausalityToken, ...]
    outer: "ReadScope | None"
    replica: str = REPLICA
    database: str | None = None
    replica_failed: bool = False
    # The permit of a read that the primary answers instead; given back when the scope ends.
    held: ExitStack = field(default_factory=ExitStack)

    def choose_database(self) -> str:
        """Return the alias to read from. Raises ReadsOverloadedError when it is the primary, and full."""
        if self.database is None:
            state = watcher.replica_state() if REPLICA_READS.is_on() else None
            if state is not None and self._replica_serves(state):
                self.database = self.replica
            else:
                if state is None or state.lag_s > LAG_S_USUAL:
                    self.held.enter_context(fallback_reads.permit())
                self.database = PRIMARY
        return self.database

    def note_write(self) -> None:
        """Read the primary from here on, here and in the scopes around."""
        self.database = PRIMARY
        if self.outer is not None:
            self.outer.note_write()

    def _replica_serves(self, state: ReplicaState) -> bool:
        if not all(state.has_replayed(token) for token in self.tokens):
            return False
        connection = connections[self.replica]
        try:
            connection.ensure_connection()
        except OperationalError:
            # It died since it was last seen, or its pool is full: nothing was read yet.
            watcher.leave_replica_out()
            return False
        if state.place is not None and place_of(connection.connection) not in (state.place, None):
            # Another of several hosts: nobody knows how far that one is. The next one may lead there.
            connection.close()
            return False
        vouches = _was_connected_by(state.seen_at, connection.connection)
        return vouches or not self.tokens

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
                connections[self.replica].close_if_unusable_or_obsolete()
            raise


# When each connection to the replica was first met here.
_met_at: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

# None: nobody allowed the replica, so everything reads the primary.
_current: ContextVar[ReadScope | None] = ContextVar("read_scope", default=None)

# What every read on the replica must know of, here and in the scopes inside.
_known: ContextVar[tuple[CausalityToken, ...]] = ContextVar("known_tokens", default=())


@contextmanager
def replica_reads(*, token: CausalityToken | None = None, replica: str = REPLICA) -> Iterator[ReadScope]:
    """Let reads in this block use the replica, once it has replayed `token` (None: at any lag).

    Also once it has replayed what the blocks around know of. Not inside `atomic`, not after a write, and
    not within `primary_only`. Money is never decided here.
    """
    outer = _current.get()
    settled = PRIMARY if outer is not None and outer.database == PRIMARY else None
    with knowing(token), ExitStack() as held:
        scope = ReadScope(tokens=_known.get(), outer=outer, replica=replica, database=settled, held=held)
        with connections[replica].execute_wrapper(scope._note_failure), _entered(scope):
            yield scope


@contextmanager
def knowing(token: CausalityToken | None) -> Iterator[None]:
    """Let no read in this block be older than `token`; allows the replica to nobody by itself."""
    reset = _known.set(_known.get() if token is None else (*_known.get(), token))
    try:
        yield
    finally:
        _known.reset(reset)


@contextmanager
def primary_only() -> Iterator[None]:
    """Let every read in this block use the primary, whatever the code inside asks for."""
    with _entered(ReadScope(tokens=(), outer=_current.get(), database=PRIMARY)):
        yield


def read_on_replica(
    read: Callable[[], T], *, token: CausalityToken | None = None, replica: str = REPLICA
) -> T:
    """Return what `read` returns on the replica; when that fails under it, once more on the primary.

    So `read` returns what it found as a whole (a list, not an iterator), and does nothing but read.
    """
    with replica_reads(token=token, replica=replica) as scope:
        try:
            return read()
        except (OperationalError, InterfaceError):
            if not scope.replica_failed:
                raise
    with fallback_reads.permit(), primary_only():
        return read()


def known_tokens() -> tuple[CausalityToken, ...]:
    """Return what reads here and now must know of."""
    return _known.get()


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


def _was_connected_by(seen_at: float, connection: Any) -> bool:
    """Tell whether this thread's connection to the replica is older than the last sight of it.

    A crash ends every connection and may set replay back by a moment. So what was seen holds for a
    connection that lived then and lives still; a newer one waits for the next sight.
    """
    return _met_at.setdefault(connection, time.monotonic()) <= seen_at


@contextmanager
def _entered(scope: ReadScope) -> Iterator[None]:
    reset = _current.set(scope)
    try:
        yield
    finally:
        _current.reset(reset)
