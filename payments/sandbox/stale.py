"""The book as it was a moment ago: what a replica that lags, or a search index, would show.

Ids begin with the time in microseconds, and events hold each object as it was then, so the past can be
read without being kept: what is newer than the moment is left out, and what changed since is put back.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from .book import _COLUMNS, _TABLES, Book, _values
from .records import Event, Intent

_RECORDS = {record.__name__: record for record in _TABLES}

# "~" comes after everything that an id may hold. Each event has its subject's row as it was then.
_SINCE = "SELECT id, subject, snapshot FROM events WHERE id > ?"
_LAST_BEFORE = """
SELECT json_extract(snapshot, '$[0]') AS subject_id, max(id), snapshot FROM events
WHERE id BETWEEN ? AND ? AND subject = ? AND subject_id IN (SELECT value FROM json_each(?))
GROUP BY subject_id
"""


class StaleBook(Book):
    """Reads of the book as of `as_of` (seconds since the epoch).

    With `token`, only payments by that test card are shown as they were, and all others as they are.
    """

    def __init__(self, connection: sqlite3.Connection, *, as_of: float, token: str | None = None) -> None:
        super().__init__(connection)
        self._now = Book(connection)
        self._cut = f"{int(as_of * 1_000_000):014x}"
        self._token = token
        self._changed: dict[type, set[str]] = defaultdict(set)
        for record, id in self._changes():
            self._changed[record].add(id)

    @property
    def is_stale(self) -> bool:
        """Whether anything has changed since."""
        return bool(self._changed)

    def seq_of(self, record: type, id: str) -> int | None:
        return None if self.find(record, id) is None else self._now.seq_of(record, id)

    def select(
        self,
        record: type,
        where: str,
        arguments: Sequence[Any],
        *,
        limit: int,
        oldest_first: bool = False,
    ) -> list[Any]:
        """Select as `Book` does: from what has not changed, and from what did, as it was."""
        changed = self._changed[record]
        table, columns = _TABLES[record], f"seq, {', '.join(_COLUMNS[record])}"
        chosen = f"({where}) ORDER BY seq {'ASC' if oldest_first else 'DESC'} LIMIT ?"
        same = f"""
            SELECT {columns} FROM {table}
            WHERE id NOT IN (SELECT value FROM json_each(?)) AND {self._is_old()} AND {chosen}
        """  # noqa: S608  names of this package
        # Under the table's name, so that the same condition finds them.
        put_back = f"""
            WITH {table} ({columns}) AS (SELECT {self._values_of(record)} FROM json_each(?))
            SELECT {columns} FROM {table} WHERE {chosen}
        """  # noqa: S608
        rows = []
        for sql, given in ((same, sorted(changed)), (put_back, list(self._past_of(record, changed)))):
            rows += self.connection.execute(sql, (json.dumps(given), *arguments, limit)).fetchall()
        rows.sort(key=itemgetter(0), reverse=not oldest_first)
        return [record(*row[1:]) for row in rows[:limit]]

    def find(self, record: type, id: str) -> Any:
        """Return the row with the id as it was, or None."""
        rows = self.select(record, "id = ?", [id], limit=1)
        return rows[0] if rows else None

    def _values_of(self, record: type) -> str:
        """Return the SQL that takes a row with its place in front out of JSON."""
        return ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(_COLUMNS[record]) + 1))

    def _is_old(self) -> str:
        """Return the condition for kinds of objects that no event is about."""
        return "TRUE" if self._token else f"substr(id, instr(id, '_') + 1, 14) <= '{self._cut}'"

    def _changes(self) -> Iterator[tuple[type, str]]:
        """Yield what was made or changed since, and the events about it."""
        for event_id, subject, snapshot in self.connection.execute(_SINCE, (f"evt_{self._cut}~",)):
            record = _RECORDS[subject]
            then = record(*json.loads(snapshot))
            if self._token is None or self._token == self._method_of(then):
                yield record, then.id
                yield Event, event_id

    def _method_of(self, subject: Any) -> str | None:
        intent_id = subject.id if isinstance(subject, Intent) else getattr(subject, "intent_id", "")
        intent = self._now.intent(intent_id)
        return None if intent is None else intent.payment_method

    def _past_of(self, record: type, changed: set[str]) -> Iterator[list[Any]]:
        """Yield the rows of those `changed` that were there before, each with its place in front."""
        old = sorted(id for id in changed if id.partition("_")[2][:14] <= self._cut)
        if record is Event or not old:
            return
        oldest = min(id.partition("_")[2] for id in old)
        bounds = (f"evt_{oldest[:14]}", f"evt_{self._cut}~")
        found = self.connection.execute(_LAST_BEFORE, (*bounds, record.__name__, json.dumps(old))).fetchall()
        for id, _, snapshot in found:
            place = self._now.seq_of(record, id)
            if place is not None:  # else it has left the book, and stays away
                yield [place, *_values(record(*json.loads(snapshot)))]
