"""An event as a row of the lake: the envelope in columns, the payload as canonical JSON.

One schema for all types: a new version of an event changes no file that was written before it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pyarrow as pa

from resilience.events import Event, Found

_MOMENT = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("version", pa.int16(), nullable=False),
        pa.field("aggregate_type", pa.string(), nullable=False),
        pa.field("aggregate_id", pa.string(), nullable=False),
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("client", pa.string(), nullable=False),
        pa.field("occurred_at", _MOMENT, nullable=False),
        pa.field("recorded_at", _MOMENT, nullable=False),
        pa.field("xid", pa.int64(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("payload", pa.string(), nullable=False),
    ]
)
# What a digest covers: everything that is told, and not where in the log it stood (a restore renumbers it).
_TOLD = ("id", "type", "version", "aggregate_type", "aggregate_id", "sequence", "client", "payload")

Row = dict[str, object]


def row_of(found: Found) -> Row:
    """Return an event and its place as a row."""
    event = found.event
    return {
        "id": str(event.id),
        "type": event.type,
        "version": event.version,
        "aggregate_type": event.aggregate_type,
        "aggregate_id": str(event.aggregate_id),
        "sequence": event.sequence,
        "client": event.client,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "xid": found.cursor.xid,
        "position": found.cursor.position,
        "payload": json.dumps(event.data, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
    }


def event_of(row: Mapping[str, Any]) -> Event:
    """Return the event that became a row."""
    return Event(
        id=UUID(row["id"]),
        type=row["type"],
        version=row["version"],
        aggregate_type=row["aggregate_type"],
        aggregate_id=UUID(row["aggregate_id"]),
        sequence=row["sequence"],
        data=json.loads(row["payload"]),
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        client=row["client"],
    )


def day_of(row: Mapping[str, object]) -> date:
    """Return the UTC day on which a row's event happened."""
    return _moment(row, "occurred_at").date()


def recorded_at(row: Mapping[str, object]) -> datetime:
    """Return when a row's event was written to the log, in UTC."""
    return _moment(row, "recorded_at")


def _moment(row: Mapping[str, object], name: str) -> datetime:
    moment = row[name]
    if not isinstance(moment, datetime):
        raise TypeError(f"a row's `{name}` is a time")
    return moment.astimezone(UTC)


def table_of(rows: Sequence[Row]) -> pa.Table:
    """Return rows as a table, in the order of the log."""
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    return table.sort_by([("xid", "ascending"), ("position", "ascending")])


def digest(rows: Iterable[Mapping[str, object]]) -> int:
    """Return a number that any order of the same rows has, and other rows almost surely have not."""
    total = 0
    for row in rows:
        text = json.dumps([row[name] for name in _TOLD], ensure_ascii=False)
        total ^= int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
    return total
