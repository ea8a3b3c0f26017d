"""Events through log and projection, into the lake and asked for there, beside plain tables and Parquet."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from random import Random
from threading import Barrier

import pyarrow.dataset as ds
import pyarrow.parquet as pq
from django.conf import settings
from django.db import connection, transaction

from analytics.lake.exporting import export_once, next_rows
from analytics.lake.keeping import compact
from analytics.lake.schema import table_of
from analytics.lake.storage import storage
from analytics.subscriptions import TALLIES
from analytics.warehouse import ask, open_warehouse
from benchmarks.tools.row import Row
from orders.events import Line, OrderPlaced
from resilience import clock
from resilience.events import Cursor, Event, Fact, Subscription, append, run_once
from resilience.ids import new_id

_FACTS_PER_COMMIT = 64
# As long as a call to a service nearby.
_WAIT_S = 0.005
_DAYS = 30
_BY_DAY = "SELECT (occurred_at AT TIME ZONE 'UTC')::DATE AS day, count(*) FROM {table} GROUP BY 1 ORDER BY 1"


@dataclass(frozen=True)
class _Took:
    """Seconds, and what came of it."""

    s: float
    rows: list[tuple[object, ...]]


def measure(*, short: bool) -> list[Row]:
    """Return the rows."""
    return [
        _through_log_and_projection(2_000 if short else 20_000),
        _lanes(400 if short else 4_000),
        *_lake(5_000 if short else 1_000_000),
    ]


def _through_log_and_projection(events: int) -> Row:
    """Publish and tally; the reference inserts the same documents into a table and counts them."""
    _clean()
    began_at = time.perf_counter()
    _publish(events, Random(1))
    while not run_once(TALLIES).idle:
        pass
    ours = events / (time.perf_counter() - began_at)
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(count) FROM analytics_tally WHERE grain = 'day'")
        tallied = cursor.fetchone()[0]
        cursor.execute("CREATE TEMP TABLE plain (payload jsonb, occurred_at timestamptz)")
        began_at = time.perf_counter()
        for batch in _batches(events, Random(1)):
            with transaction.atomic():
                cursor.execute(
                    "INSERT INTO plain SELECT jsonb_build_object('total', 1), unnest(%s::timestamptz[])",
                    [[fact.body.placed_at for fact in batch]],  # type: ignore[attr-defined]
                )
        cursor.execute("SELECT date_trunc('minute', occurred_at), count(*) FROM plain GROUP BY 1")
        cursor.fetchall()
        plain = events / (time.perf_counter() - began_at)
        cursor.execute("DROP TABLE plain")
    return Row(
        claim=f"{events:,} events through log and one projection, one process",
        ours=f"{ours:,.0f} events/s",
        target="≥ 2,000",
        peers=f"insert into a plain table and group by: {plain:,.0f} ({ours / plain:.0%})",
        holds=ours >= 2_000 and tallied == events,
    )


def _lanes(events: int) -> Row:
    """Hand the same events to a handler that waits, by one lane and by four, in threads of one process."""
    _clean()
    _publish(events, Random(3))
    alone, four = _handed_per_s(events, lanes=1), _handed_per_s(events, lanes=4)
    return Row(
        claim=f"{events:,} events to a handler that waits {_WAIT_S * 1000:.0f} ms for each, four lanes",
        ours=f"{four:,.0f} events/s",
        target="≥ 3 × one lane",
        peers=f"one lane: {alone:,.0f} ({four / alone:.1f} ×)",
        holds=four >= 3 * alone,
    )


def _handed_per_s(events: int, *, lanes: int) -> float:
    handed: list[int] = []

    def wait(batch: Sequence[Event]) -> None:
        for _event in batch:
            time.sleep(_WAIT_S)

    reader = Subscription(f"benchmark.{lanes}", None, wait, lanes=lanes)

    began_at: list[float] = []
    connected = Barrier(lanes, action=lambda: began_at.append(time.perf_counter()))

    def serve(share: int) -> None:
        try:
            connection.ensure_connection()
            connected.wait()
            while sum(handed) < events:
                handed.append(run_once(reader, share=share).handled)
        finally:
            connection.close()

    with ThreadPoolExecutor(lanes) as threads:
        list(threads.map(serve, range(lanes)))
    return events / (time.perf_counter() - began_at[0])


def _lake(events: int) -> list[Row]:
    _clean()
    _publish(events, Random(2))
    with tempfile.TemporaryDirectory(prefix="holdfast-lake-") as folder:
        settings.LAKE_URL = f"{folder}/lake"
        written = _timed(_export)
        lake = storage()
        compact(lake, now=clock.now() + timedelta(hours=2), grace=timedelta(0))
        plainly = _timed(lambda: _plain_parquet(Path(folder) / "plain"))
        copied = _timed(_copy)
        asked = _timed(lambda: _ask(_BY_DAY.format(table="events")))
        arrow = _timed(lambda: _group_plainly(Path(folder) / "plain"))
        postgres = _timed(lambda: _sql(_BY_DAY.format(table="plain_events")))
    _sql("DROP TABLE plain_events")
    is_whole = written.rows == [(events,)]
    is_equal = asked.rows == arrow.rows == postgres.rows
    return [
        Row(
            claim=f"{events:,} events of {_DAYS} days from the log into the lake",
            ours=f"{events / written.s:,.0f} events/s",
            peers=f"plain pyarrow, one file a batch: {events / plainly.s:,.0f}; "
            f"COPY into a plain table of PostgreSQL: {events / copied.s:,.0f}",
            holds=is_whole,
        ),
        Row(
            claim=f"{events:,} events by day",
            ours=f"{asked.s:.2f} s, manifest and all",
            peers=f"plain pyarrow {arrow.s:.2f} s; plain PostgreSQL {postgres.s:.2f} s",
            holds=is_equal,
        ),
    ]


def _publish(events: int, random: Random) -> None:
    for batch in _batches(events, random):
        with transaction.atomic():
            append(batch, occurred_at=batch[0].body.placed_at)  # type: ignore[attr-defined]


def _batches(events: int, random: Random) -> Iterator[list[Fact]]:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for first in range(0, events, _FACTS_PER_COMMIT):
        at = begin + timedelta(seconds=random.randrange(_DAYS * 86_400))
        yield [_fact(at) for _ in range(min(_FACTS_PER_COMMIT, events - first))]


def _fact(at: datetime) -> Fact:
    id_ = new_id()
    body = OrderPlaced(id_, "shop", "customer", "EUR", 0, 1299, (Line("tea", 1, 1299, 1299),), at)
    return Fact(id_, body, "shop")


def _clean() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE resilience_event, resilience_event_stream, resilience_inbox, analytics_tally"
        )
        cursor.execute("DELETE FROM resilience_subscription WHERE name LIKE 'benchmark.%'")


def _timed(act: Callable[[], list[tuple[object, ...]]]) -> _Took:
    began_at = time.perf_counter()
    rows = act()
    return _Took(time.perf_counter() - began_at, rows)


def _export() -> list[tuple[object, ...]]:
    total = 0
    while rows := export_once(storage()).rows:
        total += rows
    return [(total,)]


def _plain_parquet(folder: Path) -> list[tuple[object, ...]]:
    folder.mkdir()
    cursor, number = Cursor(), 0
    while True:
        rows, cursor = next_rows(cursor)
        if not rows:
            return []
        number += 1
        pq.write_table(table_of(rows), folder / f"{number:06}.parquet", compression="zstd")


def _copy() -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE plain_events (id text, occurred_at timestamptz, payload text)")
        after = Cursor()
        while True:
            rows, after = next_rows(after)
            if not rows:
                return []
            lines = StringIO()
            for row in rows:
                lines.write(f"{row['id']}\t{row['occurred_at']}\t{row['payload']}\n")
            with cursor.copy("COPY plain_events FROM STDIN") as copy:
                copy.write(lines.getvalue())


def _group_plainly(folder: Path) -> list[tuple[object, ...]]:
    table = ds.dataset(str(folder)).to_table(columns=["occurred_at"])
    days = table["occurred_at"].cast("date32").value_counts()
    return sorted((one["values"].as_py(), one["counts"].as_py()) for one in days)


def _ask(sql: str) -> list[tuple[object, ...]]:
    with open_warehouse() as warehouse:
        return list(ask(warehouse, sql).rows)


def _sql(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []
