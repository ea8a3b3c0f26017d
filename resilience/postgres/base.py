"""`DatabaseWrapper`, found here by Django because settings name this package as ENGINE."""

from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import Any

import psycopg
from django.db import OperationalError
from django.db.backends.postgresql import base as postgresql
from django.db.utils import DatabaseErrorWrapper
from psycopg.errors import ReadOnlySqlTransaction
from psycopg_pool import ConnectionPool

from resilience.postgres.newest import TIMELINE, newest
from resilience.postgres.servers import WRITABLE, place_of, serves
from resilience.postgres.wires import wires


class NotWritableError(OperationalError):
    """The server behind the connection takes no writes (any more); the connection is closed."""


class DatabaseWrapper(postgresql.DatabaseWrapper):
    """A connection that notices when its server is no longer the one that was asked for."""

    # Django's own; its stubs leave it out.
    _connection_pools: dict[str, Any]

    @property
    def _target(self) -> object:
        return self.settings_dict["OPTIONS"].get("target_session_attrs")

    @property
    def must_be_writable(self) -> bool:
        """Whether this alias is for writing."""
        return self._target in WRITABLE

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """Translate psycopg's errors into Django's."""
        return _ErrorWrapper(self)

    @property
    def pool(self) -> Any:
        """Return the pool of this alias, if it has one; its `check` also looks at what the server is."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if not options or self.alias in self._connection_pools:
            return super().pool
        pool = ConnectionPool(
            kwargs={**self.get_connection_params(), "autocommit": True},
            open=False,
            configure=self._configure,
            check=_checker(self.alias, self._target),
            **options,
        )
        # Threads may race here; the first one's pool stays, and the other was not opened.
        return self._connection_pools.setdefault(self.alias, pool)

    def get_connection_params(self) -> dict[str, Any]:
        """Return Django's parameters, with the primary that was seen last before the other hosts."""
        parameters: dict[str, Any] = super().get_connection_params()
        if self.must_be_writable and "host" in parameters and "port" in parameters:
            parameters["host"], parameters["port"] = newest.first(parameters["host"], parameters["port"])
        return parameters

    def connect(self) -> None:
        """Connect; after a refusal there is no connection, rather than a closed one."""
        try:
            super().connect()
        except psycopg.Error:
            self.connection = None
            raise

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect, or borrow; what is opened here can be cut when its server hangs."""
        connection = super().get_new_connection(conn_params)
        wires.note(self.alias, connection)
        return connection

    def is_usable(self) -> bool:
        """Ask the server, and look at what it says it is."""
        return bool(super().is_usable()) and serves(self.connection.info, self._target)

    def _configure(self, connection: Any) -> None:
        self._configure_connection(connection)

    def _configure_connection(self, connection: Any) -> bool:
        wires.note(self.alias, connection)
        changed = bool(super()._configure_connection(connection))  # type: ignore[misc]
        if self.must_be_writable:
            _refuse_old_primary(connection)
        return changed


class _ErrorWrapper(DatabaseErrorWrapper):
    def __init__(self, wrapper: DatabaseWrapper) -> None:
        super().__init__(wrapper)
        self._wrapper = wrapper

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        wrapper = self._wrapper
        if isinstance(exc_value, ReadOnlySqlTransaction) and self._is_of_the_server():
            # Django would call it an InternalError, a bug, and go on with the same connection.
            wrapper.errors_occurred = True
            if wrapper.connection is not None:
                wrapper.connection.close()
            raise NotWritableError(str(exc_value)).with_traceback(traceback) from exc_value
        super().__exit__(exc_type, exc_value, traceback)

    def _is_of_the_server(self) -> bool:
        """Tell whether it is the server that takes no writes, and not a transaction that asked for none."""
        wrapper = self._wrapper
        return wrapper.must_be_writable and (
            wrapper.connection is None or not serves(wrapper.connection.info, wrapper._target)
        )


def _checker(alias: str, target: object) -> Callable[[Any], None]:
    def check(connection: Any) -> None:
        wires.note(alias, connection)
        ConnectionPool.check_connection(connection)
        if not serves(connection.info, target):
            # Only what is closed does the pool throw away.
            connection.close()
            raise psycopg.OperationalError("its server takes no writes any more")

    return check


def _refuse_old_primary(connection: Any) -> None:
    row = connection.execute(TIMELINE).fetchone()
    if not connection.autocommit:
        connection.rollback()
    if not newest.see(timeline=row[0], place=place_of(connection)):
        place = place_of(connection)
        connection.close()
        raise psycopg.OperationalError(
            f"{place} is a primary of the past (timeline {row[0]}, and {newest.timeline} was seen): fence it"
        )
