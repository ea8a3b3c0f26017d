"""Asking the warehouse: one statement that reads, in a database of its own that can reach nothing else.

The danger: SQL that a person types may read files, fetch extensions, or fill the memory of the machine. So
the lake is handed in as a table that is already open, and then everything outside is shut, for good.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow.dataset as ds

from analytics.lake.manifest import Manifest, read_manifest
from analytics.lake.schema import SCHEMA
from analytics.lake.storage import Storage, storage
from analytics.warehouse.star import STATEMENTS
from resilience.errors import Refusal

# A query that needs more writes to no disk; it fails, and says so.
_MEMORY = "1GB"
_THREADS = 2
# Longer, and it is work for a machine of its own.
TIME_MAX_S = 60.0
_SHUT = (
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class QueryFailedError(Refusal):
    """The statement cannot be answered; the message says what is wrong with it."""

    code = "query_failed"


@dataclass(frozen=True)
class Answer:
    """Names of the columns, and rows of Python values; `is_cut` when there were more than wanted."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    is_cut: bool


@contextmanager
def open_warehouse(lake: Storage | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the star over what the lake holds now; it is the same until it is closed."""
    lake = lake or storage()
    connection = duckdb.connect(":memory:")
    try:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute(f"SET threads = {_THREADS}")
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("events", _events(lake, read_manifest(lake)))
        for statement in STATEMENTS:
            connection.execute(statement)
        for statement in _SHUT:
            connection.execute(statement)
        yield connection
    finally:
        connection.close()


def ask(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    parameters: Mapping[str, object] | None = None,
    *,
    limit: int | None = None,
    time_max_s: float = TIME_MAX_S,
) -> Answer:
    """Answer one statement that reads. `parameters` fill `$name`s; at most `limit` rows (None: all).

    Raises QueryFailedError: for several statements, one that writes, a mistake, or no time or memory left.
    """
    with within(connection, time_max_s=time_max_s):
        _refuse_writing(connection, sql)
        result = connection.execute(sql, parameters or {})
        columns = tuple(column[0] for column in result.description or ())
        rows = result.fetchall() if limit is None else result.fetchmany(limit + 1)
    shown = rows if limit is None else rows[:limit]
    return Answer(columns, tuple(shown), is_cut=len(shown) < len(rows))


@contextmanager
def within(connection: duckdb.DuckDBPyConnection, *, time_max_s: float = TIME_MAX_S) -> Iterator[None]:
    """Let a query in this block take so long at most; raises QueryFailedError for whatever fails in it."""
    timer = threading.Timer(time_max_s, connection.interrupt)
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise QueryFailedError(f"The query took longer than {time_max_s:.0f} s.") from error
    except duckdb.Error as error:
        raise QueryFailedError(str(error)) from error
    finally:
        timer.cancel()


def _refuse_writing(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type not in (
        duckdb.StatementType.SELECT,
        duckdb.StatementType.EXPLAIN,
    ):
        raise QueryFailedError("Send one statement that reads: SELECT …")


def _events(lake: Storage, manifest: Manifest) -> ds.Dataset:
    if not manifest.files:
        return ds.dataset(SCHEMA.empty_table())
    paths = [f"{lake.root}/{file.path}" for file in manifest.files]
    return ds.dataset(paths, filesystem=lake.fs, schema=SCHEMA, format="parquet")
