"""PostgreSQL: connections that end, statements that end, commits that last."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DEFAULT_DB_ALIAS, connections
from django.db import Error as DatabaseError

from resilience.checks.rules import is_positive
from resilience.postgres.servers import WRITABLE

# "0" and "off" are PostgreSQL's words for "no limit" and "not durable".
_REFUSED_VALUES = {
    "statement_timeout": {"0"},
    "lock_timeout": {"0"},
    "idle_in_transaction_session_timeout": {"0"},
    "fsync": {"off"},
    "synchronous_commit": {"off"},
}
_ZONES = {"UTC", "Etc/UTC"}

# reset_val: what role, database and server give a new session, before Django sets the zone itself.
# What this process asked for (PGOPTIONS) is left alone: a migration may run longer than a request.
_SERVER_SETTINGS = "SELECT name, reset_val FROM pg_settings WHERE name = ANY(%s) AND source <> 'client'"


@register
def check_connections(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """Check how each database is connected to (holdfast.E020 to E022, E026)."""
    return [
        problem
        for alias, database in settings.DATABASES.items()
        for problem in _connection_problems(alias, database)
    ]


@register(Tags.database)
def check_servers(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: object
) -> list[CheckMessage]:
    """Ask each of `databases` for its limits and its durability (holdfast.E023 to E025)."""
    return [problem for alias in databases or () for problem in _server_problems(alias)]


def _connection_problems(alias: str, database: Mapping[str, Any]) -> Iterator[CheckMessage]:
    options = database.get("OPTIONS", {})
    if not is_positive(options.get("connect_timeout")):
        yield Error(
            f"Connecting to the database {alias!r} has no limit: an unreachable host holds for minutes.",
            hint="Set connect_timeout in its OPTIONS.",
            id="holdfast.E020",
        )
    if alias == DEFAULT_DB_ALIAS and options.get("target_session_attrs") not in WRITABLE:
        yield Error(
            "The database 'default' does not ask for a server that takes writes: it may meet an old primary.",
            hint="Let its address say target_session_attrs=read-write, or nothing about it.",
            id="holdfast.E026",
        )
    if options.get("pool") and database.get("CONN_MAX_AGE", 0) != 0:
        yield Error(
            f"The database {alias!r} has a pool and keeps connections besides: the pool runs dry.",
            hint="Set CONN_MAX_AGE = 0, or no pool.",
            id="holdfast.E021",
        )
    if options.get("pool") and _runs_celery(sys.argv):
        yield Error(
            f"The database {alias!r} has a pool in a Celery worker, which closes it after every task.",
            hint="Unset HOLDFAST_DB_POOL_SIZE_MAX for workers: a thread keeps its connection.",
            id="holdfast.E022",
        )


def _runs_celery(argv: Sequence[str]) -> bool:
    # `celery -A config worker`, or `python -m celery …`, whose argv[0] ends in celery/__main__.py.
    program = Path(argv[0])
    return program.name == "celery" or (program.name == "__main__.py" and program.parent.name == "celery")


def _server_problems(alias: str) -> Iterator[CheckMessage]:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute(_SERVER_SETTINGS, [[*_REFUSED_VALUES, "TimeZone"]])
            values = dict(cursor.fetchall())
    except DatabaseError as error:
        yield Error(
            f"The database {alias!r} cannot be asked for its settings: {error}",
            hint="Start it, or correct its address.",
            id="holdfast.E023",
        )
        return
    for name, refused in _REFUSED_VALUES.items():
        if values.get(name) in refused:
            yield Error(
                f"The database {alias!r} runs with {name} = {values[name]}.",
                hint=f"Set {name} for the application's role or for the server (docs/operations.md).",
                id="holdfast.E024",
            )
    if values.get("TimeZone", "UTC") not in _ZONES:
        yield Error(
            f"The database {alias!r} runs in the zone {values['TimeZone']}: dates in SQL would be local.",
            hint="ALTER ROLE … SET timezone TO 'UTC'.",
            id="holdfast.E025",
        )
