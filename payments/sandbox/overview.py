"""What the front page shows: the newest rows of the book, gathered without keeping anybody waiting."""

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .book import open_for_reading

# What fits on a page that is loaded again every few seconds.
PAYMENTS_MAX = 25
ROWS_MAX = 40

Row = dict[str, Any]

_TAKEN = """
SELECT currency, sum(amount_captured) AS captured, sum(amount_refunded) AS refunded,
       count(captured_at) AS captures, count(*) FILTER (WHERE status = 'failed') AS declined
FROM charges WHERE :order_id IS NULL OR order_id = :order_id GROUP BY currency
"""
_OPEN = """
SELECT currency, count(*) AS payments, sum(amount_capturable) AS authorized
FROM intents WHERE :order_id IS NULL OR order_id = :order_id GROUP BY currency ORDER BY payments DESC
"""
_PAYMENTS = """
SELECT id, created, order_id, amount, currency, status, payment_method, amount_capturable, amount_received
FROM intents
WHERE :order_id IS NULL OR seq IN
    (SELECT intent_seq FROM intent_metadata WHERE key = 'order_id' AND value = :order_id)
ORDER BY seq DESC LIMIT :payments_max
"""
_CHARGES = """
SELECT id, intent_id, created, amount, currency, status, decline_code, amount_captured, amount_refunded,
       released_at
FROM charges WHERE intent_id IN (SELECT value FROM json_each(:ids)) ORDER BY seq
"""
_REFUNDS = """
SELECT id, intent_id, created, amount, currency, status
FROM refunds WHERE intent_id IN (SELECT value FROM json_each(:ids)) ORDER BY seq
"""
_REQUESTS = """
SELECT received_at, operation, order_id, intent_id, idempotency_key, status, fault, replayed, replied_at
FROM requests WHERE :order_id IS NULL OR order_id = :order_id ORDER BY seq DESC LIMIT :rows_max
"""
# The snapshot of whatever an event is about holds the id of its payment.
_DELIVERIES = """
SELECT attempted_at, type, event_id, deliveries.status, fault, settled
FROM deliveries JOIN events ON events.id = event_id
WHERE :order_id IS NULL OR EXISTS (SELECT 1 FROM json_each(:ids) WHERE instr(snapshot, value))
ORDER BY deliveries.seq DESC LIMIT :rows_max
"""


@dataclass(frozen=True, slots=True)
class Overview:
    """Rows as the book has them, newest first; each payment brings its `charges` and `refunds`."""

    order_id: str | None
    totals: list[Row]
    payments: list[Row]
    requests: list[Row]
    deliveries: list[Row]


def read_overview(path: Path, *, order_id: str | None) -> Overview:
    """Read the book, all of it or what is about one order. Made for a thread: sums take their time."""
    with closing(open_for_reading(path)) as connection:
        connection.execute("BEGIN")  # the tables as they were at one moment
        arguments = {"order_id": order_id, "payments_max": PAYMENTS_MAX, "rows_max": ROWS_MAX}
        payments = _rows(connection, _PAYMENTS, arguments)
        arguments["ids"] = json.dumps([payment["id"] for payment in payments])
        for name, sql in (("charges", _CHARGES), ("refunds", _REFUNDS)):
            parts = defaultdict(list)
            for part in _rows(connection, sql, arguments):
                parts[part["intent_id"]].append(part)
            for payment in payments:
                payment[name] = parts[payment["id"]]
        return Overview(
            order_id=order_id,
            totals=_totals(connection, arguments),
            payments=payments,
            requests=_rows(connection, _REQUESTS, arguments),
            deliveries=_rows(connection, _DELIVERIES, arguments),
        )


def _totals(connection: sqlite3.Connection, arguments: dict[str, Any]) -> list[Row]:
    taken = {row["currency"]: row for row in _rows(connection, _TAKEN, arguments)}
    nothing = {"captured": 0, "refunded": 0, "captures": 0, "declined": 0}
    return [
        {**nothing, **taken.get(row["currency"], {}), **row} for row in _rows(connection, _OPEN, arguments)
    ]


def _rows(connection: sqlite3.Connection, sql: str, arguments: dict[str, Any]) -> list[Row]:
    cursor = connection.execute(sql, arguments)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
