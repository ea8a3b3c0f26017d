"""What the running stack says of the same orders: its tables, its projections, and its lake by DuckDB."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from config.gameday.stage import Stage
from config.quarter.figures import UNKNOWN, Figures, busiest, money, number

_ZONE = "America/Sao_Paulo"
Ask = Callable[[str], Sequence[Sequence[Any]]]

# The same questions to both, for PostgreSQL and DuckDB read them alike; `{...}` is what is called otherwise.
_PER_MONTH = """
SELECT {month} AS month, count(*) AS orders, sum(total_minor) AS total FROM {orders} GROUP BY 1 ORDER BY 1
"""
_PER_TYPE = """
SELECT method_type, count(*) AS payments, sum(amount_minor) AS total FROM {payments} GROUP BY 1 ORDER BY 1
"""
_CONFIRMED = (
    "SELECT count(*) AS orders, coalesce(sum(total_minor), 0) AS total FROM {orders} WHERE {confirmed}"
)
_BUSIEST = "SELECT {moment} AS moment, count(*) AS orders FROM {orders} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1"
_PEOPLE = (
    "SELECT count(*) AS people, coalesce(sum(CASE WHEN orders > 1 THEN 1 ELSE 0 END), 0) AS again"
    " FROM (SELECT customer_reference, count(*) AS orders FROM {orders} GROUP BY 1) AS customer"
)
_UNITS = "SELECT coalesce(sum(quantity), 0) AS units FROM {lines}"

_TABLES = {
    "orders": "orders_order",
    "lines": "orders_order_line",
    "payments": "payments_payment WHERE status = 'captured'",
    "confirmed": "status = 'confirmed'",
    "text": "to_char(placed_at AT TIME ZONE '{zone}', '{pattern}')",
    "patterns": ("YYYY-MM", "YYYY-MM-DD", "YYYY-MM-DD HH24:MI"),
}
_LAKE = {
    "orders": "orders",
    "lines": "lines",
    "payments": "payments WHERE status = 'captured'",
    "confirmed": "status = 'confirmed'",
    "text": "strftime(placed_at AT TIME ZONE '{zone}', '{pattern}')",
    "patterns": ("%Y-%m", "%Y-%m-%d", "%Y-%m-%d %H:%M"),
}
_TALLIED = """
SELECT {moment} AS moment, sum(count)::bigint, sum(amount_minor)::bigint FROM analytics_tally
WHERE grain = '{grain}' AND measure = '{measure}' GROUP BY 1 ORDER BY 1
"""


def tables(stage: Stage) -> Figures:
    """Ask the tables of orders and payments."""
    return _figures(lambda sql: _primary(stage, sql), _TABLES)


def lake(stage: Stage) -> Figures:
    """Ask the lake, as an analyst does: no database of the platform is asked."""
    return _figures(lambda sql: _query(stage, sql), _LAKE)


def projections(stage: Stage) -> Figures:
    """Ask the tallies; São Paulo is whole hours from UTC, so that hours make its days."""

    def tallied(pattern: str, grain: str, measure: str = "order.placed") -> Sequence[Sequence[Any]]:
        moment = f"to_char(at AT TIME ZONE '{_ZONE}', '{pattern}')"
        return _primary(stage, _TALLIED.format(moment=moment, grain=grain, measure=measure))

    month, day, minute = _TABLES["patterns"]
    types = _TALLIED.format(moment="method_type", grain="day", measure="payment.captured")
    confirmed = tallied("", "day", "order.confirmed")
    return {
        **{f"orders of {one}": money(orders, total) for one, orders, total in tallied(month, "hour")},
        **{f"paid by {one}": money(payments, total) for one, payments, total in _primary(stage, types)},
        "confirmed": money(confirmed[0][1], confirmed[0][2]) if confirmed else money(0, 0),
        "busiest day": busiest((moment, orders) for moment, orders, _total in tallied(day, "hour")),
        "busiest minute": busiest((moment, orders) for moment, orders, _total in tallied(minute, "minute")),
        "people": UNKNOWN,
        "people with two orders or more": UNKNOWN,
        "units": UNKNOWN,
    }


def source_ids(stage: Stage) -> frozenset[str]:
    """Return the source's ids of the orders that the platform has."""
    return frozenset(
        str(row[0]) for row in _primary(stage, "SELECT metadata->>'source_order_id' FROM orders_order")
    )


def _figures(ask: Ask, words: dict[str, Any]) -> Figures:
    month, day, minute = (words["text"].format(zone=_ZONE, pattern=pattern) for pattern in words["patterns"])
    names = {name: words[name] for name in ("orders", "lines", "payments", "confirmed")}
    [confirmed] = ask(_CONFIRMED.format(**names))
    [people] = ask(_PEOPLE.format(**names))
    [[units]] = ask(_UNITS.format(**names))
    return {
        **{
            f"orders of {one}": money(int(orders), int(total))
            for one, orders, total in ask(_PER_MONTH.format(month=month, **names))
        },
        **{
            f"paid by {one}": money(int(payments), int(total))
            for one, payments, total in ask(_PER_TYPE.format(**names))
        },
        "confirmed": money(int(confirmed[0]), int(confirmed[1])),
        "busiest day": _busiest(ask(_BUSIEST.format(moment=day, **names))),
        "busiest minute": _busiest(ask(_BUSIEST.format(moment=minute, **names))),
        "people": number(int(people[0])),
        "people with two orders or more": number(int(people[1])),
        "units": number(int(units)),
    }


def _busiest(rows: Sequence[Sequence[Any]]) -> str:
    return busiest((str(moment), int(orders)) for moment, orders in rows)


def _primary(stage: Stage, sql: str) -> Sequence[Sequence[Any]]:
    with stage.leader() as connection:
        return connection.execute(sql.encode()).fetchall()


def _query(stage: Stage, sql: str) -> Sequence[Sequence[Any]]:
    return [list(row.values()) for row in json.loads(stage.manage("query", sql, "--format", "json"))]
