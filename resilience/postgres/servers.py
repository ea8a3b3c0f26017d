"""Which server a connection leads to, and whether that server is what was asked for. No I/O.

The server tells both facts by itself (PostgreSQL 14 and later), with the answer to any query: so a
connection that was just used knows whether its server was demoted or promoted meanwhile.
"""

from typing import Any

import psycopg
from psycopg import ConnectionInfo

# libpq's names (target_session_attrs) for "must take writes".
WRITABLE = frozenset({"read-write", "primary"})


def place_of(connection: Any) -> str | None:
    """Return `host:port` of the server behind a psycopg connection; None when it is closed."""
    try:
        return f"{connection.info.host}:{connection.info.port}"
    except (psycopg.Error, AttributeError):
        return None


def is_writable(info: ConnectionInfo) -> bool:
    """Tell whether the server takes writes, as far as it said; a pooler may not pass that on."""
    return not _is_on(info, "in_hot_standby") and not _is_on(info, "default_transaction_read_only")


def serves(info: ConnectionInfo, target: object) -> bool:
    """Tell whether the server is what `target` (target_session_attrs) asks for."""
    return target not in WRITABLE or is_writable(info)


def _is_on(info: ConnectionInfo, name: str) -> bool:
    return info.parameter_status(name) == "on"
