"""The database roles: one for orders, and one for each workload that only reads (docs/operations.md).

Limits are settings of the role, not of the session: a pooler in transaction mode passes neither SET nor
start-up options on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

APPLICATION = "holdfast"
DASHBOARD = "holdfast_dashboard"
REPORTS = "holdfast_reports"


@dataclass(frozen=True)
class Role:
    """A role that logs in; `settings` hold for each of its sessions."""

    name: str
    settings: Mapping[str, str]
    member_of: tuple[str, ...] = field(default=())


def _limits(*, statement_timeout: str) -> dict[str, str]:
    return {
        "timezone": "UTC",
        "statement_timeout": statement_timeout,
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "5s",
    }


# The application's statement limit is below the 10 s that a web client waits; the migrate step lifts it.
# It sees the replica's receiver (pg_read_all_stats), and so its timeline, from the moment of a promotion.
ROLES = (
    Role(APPLICATION, _limits(statement_timeout="5s"), ("pg_read_all_stats",)),
    # A tile that takes longer is of no use to who looks at it.
    Role(
        DASHBOARD,
        {**_limits(statement_timeout="3s"), "default_transaction_read_only": "on"},
        ("pg_read_all_data",),
    ),
    Role(
        REPORTS,
        {**_limits(statement_timeout="30s"), "default_transaction_read_only": "on"},
        ("pg_read_all_data",),
    ),
)


def provision_roles(connection: psycopg.Connection, *, password: str) -> None:
    """Create the roles where they are missing, and set what may have changed since. As superuser."""
    for role in ROLES:
        ensure_role(connection, role.name, "LOGIN", password)
        for name, value in role.settings.items():
            statement = sql.SQL("ALTER ROLE {} SET {} TO {}")
            connection.execute(
                statement.format(sql.Identifier(role.name), sql.Identifier(name), sql.Literal(value))
            )
        for group in role.member_of:
            connection.execute(
                sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(role.name))
            )


def as_role(url: str, role: str) -> str:
    """Return the application's address `url` for another of its roles; they share a password here."""
    return url.replace(f"//{APPLICATION}:", f"//{role}:", 1)


def ensure_role(connection: psycopg.Connection, role: str, attributes: str, password: str) -> None:
    """Create or alter one role."""
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    verb = sql.SQL("ALTER ROLE" if exists else "CREATE ROLE")
    statement = sql.SQL("{} {} {} PASSWORD {}")
    connection.execute(
        statement.format(verb, sql.Identifier(role), sql.SQL(attributes), sql.Literal(password))
    )
