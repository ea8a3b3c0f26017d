"""The gateway's book: typed reads and writes over one SQLite connection.

The writing side runs under `commits.GroupCommit` and never commits by itself; the reading side sees
committed rows only, so nothing is ever shown that a crash could take back.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from .records import (
    BalanceTransaction,
    Charge,
    Delivery,
    Dispute,
    Event,
    Intent,
    LoggedRequest,
    Refund,
    StoredAnswer,
)

_SCHEMA = Path(__file__).with_name("schema.sql")
# Memory for pages, in KiB: the indexes of a few hundred thousand payments.
_CACHE_KIB = 64 * 1024
# Pages of 4 KiB kept in the write-ahead log before SQLite folds it into the file. Smaller: more random
# writes under load; larger: a slower first read after a crash.
_CHECKPOINT_PAGES = 4_000

_Row = TypeVar("_Row")
Record = Intent | Charge | Refund | Dispute

_TABLES: dict[type, str] = {
    Intent: "intents",
    Charge: "charges",
    Refund: "refunds",
    Dispute: "disputes",
    BalanceTransaction: "balance_transactions",
    Event: "events",
    StoredAnswer: "answers",
    LoggedRequest: "requests",
    Delivery: "deliveries",
}
_COLUMNS = {record: tuple(field.name for field in fields(record)) for record in _TABLES}
_SELECT = {
    record: f"SELECT {', '.join(_COLUMNS[record])} FROM {table}"  # noqa: S608  names of this module
    for record, table in _TABLES.items()
}
_INSERT = {
    record: f"INSERT INTO {table} ({', '.join(_COLUMNS[record])})"  # noqa: S608
    f" VALUES ({', '.join('?' * len(_COLUMNS[record]))})"
    for record, table in _TABLES.items()
}


def _update(record: type, columns: Sequence[str]) -> str:
    changes = ", ".join(f"{column} = ?" for column in columns)
    return f"UPDATE {_TABLES[record]} SET {changes} WHERE id = ?"  # noqa: S608


_INTENT_CHANGES = (
    "metadata",
    "status",
    "payment_method",
    "amount_capturable",
    "amount_received",
    "latest_charge",
    "last_payment_error",
    "next_action",
    "canceled_at",
    "cancellation_reason",
)
_CHARGE_CHANGES = (
    "amount_captured",
    "amount_refunded",
    "captured_at",
    "released_at",
    "balance_transaction",
    "disputed",
)
_REFUND_CHANGES = ("status", "failure_reason", "failure_balance_transaction")
_DISPUTE_CHANGES = ("status", "movements")
_UPDATE_INTENT = _update(Intent, _INTENT_CHANGES)
_UPDATE_CHARGE = _update(Charge, _CHARGE_CHANGES)
_UPDATE_REFUND = _update(Refund, _REFUND_CHANGES)
_UPDATE_DISPUTE = _update(Dispute, _DISPUTE_CHANGES)
_KEEP_ANSWER = _INSERT[StoredAnswer].replace("INSERT", "INSERT OR REPLACE", 1)
_values_of = {record: attrgetter(*columns) for record, columns in _COLUMNS.items()}


def _values(record: Any) -> tuple[Any, ...]:
    return _values_of[type(record)](record)


def snapshot(record: Record) -> str:
    """Return the row of `record` as JSON, the values in the order of its fields."""
    return json.dumps(_values(record))


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the book, made if it is not there. Every commit is on the disk when it returns."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.executescript(_SCHEMA.read_text())
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open an existing book; writing through this connection fails."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute("PRAGMA query_only = ON")
    return connection


class Book:
    """Rows in and out of one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def find(self, record: type[_Row], id: str) -> _Row | None:
        """Return the row with the id, or None."""
        row = self._row(_SELECT[record] + " WHERE id = ?", id)
        return None if row is None else record(*row)

    def intent(self, id: str) -> Intent | None:
        return self.find(Intent, id)

    def charge(self, id: str) -> Charge | None:
        return self.find(Charge, id)

    def refund(self, id: str) -> Refund | None:
        return self.find(Refund, id)

    def event(self, id: str) -> Event | None:
        return self.find(Event, id)

    def answer(self, key: str) -> StoredAnswer | None:
        row = self._row(_SELECT[StoredAnswer] + " WHERE key = ?", key)
        return None if row is None else StoredAnswer(*row)

    def seq_of(self, record: type, id: str) -> int | None:
        """Return the place of `id` in its table's order, or None."""
        row = self._row(f"SELECT seq FROM {_TABLES[record]} WHERE id = ?", id)  # noqa: S608
        return None if row is None else row[0]

    def select(
        self,
        record: type,
        where: str,
        arguments: Sequence[Any],
        *,
        limit: int,
        oldest_first: bool = False,
    ) -> list[Any]:
        """Return up to `limit` rows, newest first. `where` is SQL of this package, never of a client."""
        order = "ASC" if oldest_first else "DESC"
        sql = f"{_SELECT[record]} WHERE {where} ORDER BY seq {order} LIMIT ?"
        return [record(*row) for row in self.connection.execute(sql, (*arguments, limit))]

    def add_intent(self, intent: Intent) -> None:
        """Insert `intent`, findable by each of its metadata."""
        cursor = self._add(intent)
        self._index_metadata(intent, cursor.lastrowid)

    def change_intent(self, intent: Intent) -> None:
        values = [getattr(intent, column) for column in _INTENT_CHANGES]
        self.connection.execute(_UPDATE_INTENT, (*values, intent.id))

    def change_metadata(self, intent: Intent) -> None:
        """Make `intent` findable by its metadata as they are now, and no longer as they were."""
        seq = self.seq_of(Intent, intent.id)
        self.connection.execute("DELETE FROM intent_metadata WHERE intent_seq = ?", (seq,))
        self._index_metadata(intent, seq)

    def add_charge(self, charge: Charge) -> None:
        self._add(charge)

    def change_charge(self, charge: Charge) -> None:
        values = [getattr(charge, column) for column in _CHARGE_CHANGES]
        self.connection.execute(_UPDATE_CHARGE, (*values, charge.id))

    def change_refund(self, refund: Refund) -> None:
        values = [getattr(refund, column) for column in _REFUND_CHANGES]
        self.connection.execute(_UPDATE_REFUND, (*values, refund.id))

    def change_dispute(self, dispute: Dispute) -> None:
        values = [getattr(dispute, column) for column in _DISPUTE_CHANGES]
        self.connection.execute(_UPDATE_DISPUTE, (*values, dispute.id))

    def add(self, row: Refund | Dispute | BalanceTransaction) -> None:
        """Insert a row that needs nothing beside it."""
        self._add(row)

    def add_event(self, event: Event) -> None:
        self._add(event)

    def keep_answer(self, answer: StoredAnswer) -> None:
        """Store the answer to its key, in place of one that has expired."""
        self.connection.execute(_KEEP_ANSWER, _values(answer))

    def forget_answers(self, *, before: float) -> None:
        """Drop the stored answers that are older than `before` (seconds since the epoch)."""
        self.connection.execute("DELETE FROM answers WHERE created < ?", (before,))

    def log_request(self, request: LoggedRequest) -> int:
        """Write the receipt of a request; return its place in the log."""
        seq = self._add(request).lastrowid
        assert seq is not None  # noqa: S101  an INSERT always has one
        return seq

    def unsettled_events(self, *, after: int, limit: int) -> list[tuple[int, str]]:
        """Return the places and ids of events that still have to be told, oldest first."""
        sql = (
            "SELECT seq, id FROM events WHERE seq > ? AND NOT EXISTS"
            " (SELECT 1 FROM deliveries WHERE event_id = events.id AND settled)"
            " ORDER BY seq LIMIT ?"
        )
        return self.connection.execute(sql, (after, limit)).fetchall()

    def last_event(self) -> int:
        """Return the place of the newest event; 0 if there is none."""
        return int(self._row("SELECT coalesce(max(seq), 0) FROM events")[0])

    def log_delivery(self, delivery: Delivery) -> None:
        """Write down an attempt to tell about an event."""
        self._add(delivery)

    def log_replies(self, replies: Sequence[tuple[float, int]]) -> None:
        """Note when the whole answers to logged requests, named by their place, left."""
        self.connection.executemany("UPDATE requests SET replied_at = ? WHERE seq = ?", replies)

    def _index_metadata(self, intent: Intent, seq: int | None) -> None:
        rows = [(key, value, seq) for key, value in json.loads(intent.metadata).items()]
        self.connection.executemany("INSERT INTO intent_metadata VALUES (?, ?, ?)", rows)

    def _add(self, record: Any) -> sqlite3.Cursor:
        return self.connection.execute(_INSERT[type(record)], _values(record))

    def _row(self, sql: str, *arguments: Any) -> Any:
        return self.connection.execute(sql, arguments).fetchone()
