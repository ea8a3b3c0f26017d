"""The figures of the status line, read from the replica so that they cost the primary nothing."""

from dataclasses import dataclass

import psycopg

_CONNECT_LIMIT_S = 1
_UNSETTLED = ("pending", "requires_action")


@dataclass(frozen=True)
class Figures:
    orders: int
    settled: int
    in_doubt: int

    def __str__(self) -> str:
        return f"orders {self.orders:,} · settled {self.settled:,} · in doubt {self.in_doubt:,}"


class StatusReader:
    """Keeps one connection; a database that is away, or not migrated yet, has no figures."""

    def __init__(self, *, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def read(self) -> Figures | None:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, connect_timeout=_CONNECT_LIMIT_S
                )
            return _figures(self._connection)
        except psycopg.Error:
            return None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _figures(connection: psycopg.Connection) -> Figures:
    counts: dict[str, int] = dict(
        connection.execute("SELECT status, count(*) FROM orders_order GROUP BY status").fetchall()
    )
    in_doubt = connection.execute(
        "SELECT count(*) FROM payments_payment WHERE in_doubt_since IS NOT NULL"
    ).fetchone()
    unsettled = sum(counts.get(status, 0) for status in _UNSETTLED)
    orders = sum(counts.values())
    return Figures(orders=orders, settled=orders - unsettled, in_doubt=in_doubt[0] if in_doubt else 0)
