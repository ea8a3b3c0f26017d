"""What the book says about orders, so that a checker outside needs no SQL."""

from collections import defaultdict
from typing import Any

from .book import Book

ROWS_MAX = 10_000

_PER_ORDER = """
SELECT charges.order_id,
       charges.currency,
       sum(charges.amount_captured),
       sum(charges.amount_refunded),
       count(charges.captured_at),
       count(*) FILTER (WHERE intents.status = 'requires_capture' AND charges.id = intents.latest_charge),
       count(*) FILTER (WHERE charges.status = 'failed')
FROM charges JOIN intents ON intents.id = charges.intent_id
WHERE :order_id IS NULL OR charges.order_id = :order_id
GROUP BY charges.order_id, charges.currency
"""
_OPEN = """
SELECT currency, sum(amount_capturable), count(*)
FROM intents
WHERE status = 'requires_capture' AND (:order_id IS NULL OR order_id = :order_id)
GROUP BY currency
"""
_NUMBERS = ("captured", "refunded", "captures", "open_authorizations", "declined")


def summarize(book: Book, *, order_id: str | None = None) -> dict[str, Any]:
    """Return sums per order and per currency. Orders with several currencies show `currency: null`."""
    orders: dict[str, dict[str, Any]] = {}
    totals: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_NUMBERS, 0))
    for order, currency, *numbers in book.connection.execute(_PER_ORDER, {"order_id": order_id}):
        row = dict(zip(_NUMBERS, numbers, strict=True))
        for name in _NUMBERS:
            totals[currency][name] += row[name]
        if order is None:
            continue
        if order in orders:
            row = {name: row[name] + orders[order][name] for name in _NUMBERS}
            currency = None
        orders[order] = {"currency": currency, **row}
    for currency, amount, _ in book.connection.execute(_OPEN, {"order_id": order_id}):
        totals[currency]["authorized"] = amount
    for total in totals.values():
        total.setdefault("authorized", 0)
    return {"orders": orders, "totals": totals}


def charges_of(book: Book, *, order_id: str | None, before: int | None = None) -> list[dict[str, Any]]:
    """Return the charges of one order (or the newest of all), with what became of each."""
    where = "TRUE" if order_id is None else "charges.order_id = :order_id"
    return _rows(
        book,
        f"""
        SELECT charges.seq, charges.id, charges.intent_id, charges.order_id, charges.created, charges.amount,
               charges.currency, charges.payment_method, charges.status, charges.failure_code,
               charges.decline_code, charges.amount_captured, charges.amount_refunded,
               charges.captured_at, charges.released_at, intents.status AS intent_status,
               charges.metadata
        FROM charges JOIN intents ON intents.id = charges.intent_id
        WHERE {where} AND (:before IS NULL OR charges.seq < :before)
        ORDER BY charges.seq DESC LIMIT :limit
        """,  # noqa: S608
        order_id=order_id,
        before=before,
    )


def requests_of(book: Book, *, order_id: str | None, before: int | None = None) -> list[dict[str, Any]]:
    """Return the logged requests about one order (or the newest of all)."""
    return _table(book, "requests", order_id=order_id, before=before)


def refunds_of(book: Book, *, order_id: str | None, before: int | None = None) -> list[dict[str, Any]]:
    """Return the refunds of one order (or the newest of all)."""
    return _table(book, "refunds", order_id=order_id, before=before)


def movements_of(book: Book, *, order_id: str | None, before: int | None = None) -> list[dict[str, Any]]:
    """Return the movements of money about one order (or the newest of all)."""
    return _table(book, "balance_transactions", order_id=order_id, before=before)


def deliveries_of(book: Book, event_id: str | None) -> list[dict[str, Any]]:
    """Return the attempts to tell about one event (or the newest of all)."""
    where = "TRUE" if event_id is None else "event_id = :event_id"
    return _rows(
        book,
        f"""
        SELECT event_id AS event, events.type, attempted_at, status, fault, settled
        FROM deliveries JOIN events ON events.id = event_id
        WHERE {where} ORDER BY deliveries.seq DESC LIMIT :limit
        """,  # noqa: S608
        event_id=event_id,
    )


def _table(book: Book, table: str, *, order_id: str | None, before: int | None) -> list[dict[str, Any]]:
    where = "TRUE" if order_id is None else "order_id = :order_id"
    return _rows(
        book,
        f"""
        SELECT * FROM {table} WHERE {where} AND (:before IS NULL OR seq < :before)
        ORDER BY seq DESC LIMIT :limit
        """,  # noqa: S608
        order_id=order_id,
        before=before,
    )


def _rows(book: Book, sql: str, **arguments: str | int | None) -> list[dict[str, Any]]:
    cursor = book.connection.execute(sql, {**arguments, "limit": ROWS_MAX})
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
