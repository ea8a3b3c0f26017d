"""The figures of the status line, read from the replica so that they cost the primary nothing."""

from dataclasses import dataclass

import psycopg

_CONNECT_LIMIT_S = 1


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
        connection.execute(
            "SELECT split_part(measure, '.', 2), sum(count)::bigint FROM analytics_tally "
            "WHERE grain = 'day' AND measure LIKE 'order.%' GROUP BY measure"
        ).fetchall()
    )
    in_doubt = connection.execute(
        "SELECT count(*) FROM payments_payment WHERE in_doubt_since IS NOT NULL"
    ).fetchone()
    return Figures(
        orders=counts.get("placed", 0),
        settled=counts.get("confirmed", 0) + counts.get("cancelled", 0),
        in_doubt=in_doubt[0] if in_doubt else 0,
    )
