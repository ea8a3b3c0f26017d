"""How this process connects to PostgreSQL: Django's settings, made from libpq's addresses.

An address may name several hosts: `postgresql://user:password@one:5432,two:5432/holdfast`. The alias says
which of them is meant (target_session_attrs), so a promotion changes no address (docs/operations.md).
"""

from dataclasses import dataclass
from typing import Any

from psycopg.conninfo import conninfo_to_dict

# libpq counts in whole seconds, takes 1 as 2, and applies it to each host in turn.
CONNECT_TIMEOUT_S = 2
# A server behind a cut wire is given up after about 4 s; without these, after hours.
_NETWORK_LIMITS = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 2000,
}
# Fewer than a process has threads: they wait for a connection as long as `timeout`, then for nothing.
_POOL = {
    "min_size": 1,
    "timeout": 2,
    "max_waiting": 64,
    # psycopg would wait twice as long after each failed attempt, up to 5 minutes: so it begins anew at the
    # next request instead, and the first one after a promotion finds the new primary.
    "reconnect_timeout": 1,
}
_DJANGO_NAMES = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}


@dataclass(frozen=True)
class Purpose:
    """What an alias is for: its name in pg_stat_activity, which server it wants, how many connections."""

    application_name: str
    wants: str
    # 0: one connection a thread, kept. Workers have no pool: Celery would close it after each task.
    pool_size_max: int


def database(url: str, *, purpose: Purpose) -> dict[str, Any]:
    """Return an entry of DATABASES. What `url` says itself (`?target_session_attrs=any`) wins."""
    address = conninfo_to_dict(url)
    named = {name: str(address.pop(key, "")) for key, name in _DJANGO_NAMES.items()}
    options: dict[str, Any] = {
        "application_name": purpose.application_name,
        "target_session_attrs": purpose.wants,
        **_NETWORK_LIMITS,
        **address,
    }
    if purpose.pool_size_max:
        options["pool"] = {**_POOL, "max_size": purpose.pool_size_max}
    return {
        "ENGINE": "resilience.postgres",
        **named,
        "CONN_MAX_AGE": 0 if purpose.pool_size_max else None,
        # So that a task or request does not fail over a connection that died while it was idle.
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": options,
    }


def databases(*, urls: dict[str, str], pool_size_max: int) -> dict[str, dict[str, Any]]:
    """Return DATABASES; `urls` has an address for each alias: default, replica, dashboard, reports."""
    purposes = {
        "default": Purpose("holdfast", "read-write", pool_size_max),
        "replica": Purpose("holdfast-replica", "prefer-standby", pool_size_max),
        "dashboard": Purpose("holdfast-dashboard", "prefer-standby", min(4, pool_size_max)),
        "reports": Purpose("holdfast-reports", "prefer-standby", min(2, pool_size_max)),
    }
    found = {alias: database(urls[alias], purpose=purpose) for alias, purpose in purposes.items()}
    for alias in ("replica", "dashboard", "reports"):
        found[alias]["TEST"] = {"MIRROR": "default"}
    return found
