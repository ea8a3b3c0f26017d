"""From the log to the lake: a batch, its files, and the manifest that makes them visible, each event once."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from analytics.lake.manifest import DataFile, Manifest, commit, read_manifest
from analytics.lake.schema import Row, day_of, row_of, table_of
from analytics.lake.storage import Storage
from resilience.crashpoints import crashpoint
from resilience.events import Cursor, read_after
from resilience.ids import new_id

DATA = "data"
# Rows of one read: more would make no read cheaper.
_PAGE_ROWS = 2_000
_LOCK_CLASS = 0x4C414B45
# A folder on a slow disk, or a bucket far away; the lock is held while it is written to.
_WRITING_LASTS_MAX = "10min"


@dataclass(frozen=True)
class Exported:
    """What one run has committed; nothing when the log had nothing new, or another exporter is at it."""

    rows: int = 0
    files: int = 0


@contextmanager
def exclusively(*, waits: bool) -> Iterator[bool]:
    """Be the only writer of the lake within this block; yields False when another one is, unless it `waits`.

    A transaction that only holds a lock: it has no id, so that it holds back no reader of the log.
    """
    function = "pg_advisory_xact_lock" if waits else "pg_try_advisory_xact_lock"
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT set_config('idle_in_transaction_session_timeout', %s, true), {function}(%s, 0)",
                [_WRITING_LASTS_MAX, _LOCK_CLASS],
            )
            taken = cursor.fetchone()[1]
        yield waits or bool(taken)


def export_once(storage: Storage) -> Exported:
    """Bring the next batch of the log into the lake. Safe to be killed at any line, and to run twice at once.

    Raises LakeMovedError when somebody committed in spite of the lock, and OSError when it cannot write:
    then nothing of the batch is visible, and the next run begins at the same place.
    """
    with exclusively(waits=False) as is_ours:
        if not is_ours:
            return Exported()
        manifest = read_manifest(storage)
        rows, cursor = next_rows(manifest.cursor)
        if not rows:
            return Exported()
        files = write_rows(storage, rows, number=manifest.number + 1)
        crashpoint("lake.before_commit")
        commit(storage, manifest.following(cursor=cursor, added=files))
        crashpoint("lake.after_commit")
    return Exported(rows=len(rows), files=len(files))


def next_rows(after: Cursor) -> tuple[list[Row], Cursor]:
    """Return the events behind `after`, one batch at most, and the place behind them."""
    rows: list[Row] = []
    rows_max = settings.LAKE_BATCH_ROWS
    while len(rows) < rows_max:
        page = read_after(after, limit=min(_PAGE_ROWS, rows_max - len(rows)))
        if not page.found:
            break
        rows += [row_of(found) for found in page.found]
        after = page.end
    return rows, after


def write_rows(storage: Storage, rows: Sequence[Row], *, number: int) -> list[DataFile]:
    """Write rows to a file per day and type. They are not visible before manifest `number` names them."""
    parts: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        parts[day_of(row).isoformat(), str(row["type"])].append(row)
    files = []
    for (day, type_), part in sorted(parts.items()):
        written = storage.write_table(file_name(day, type_, number=number), table_of(part))
        crashpoint("lake.between_files")
        files.append(DataFile(written.path, day, type_, len(part), written.size, written.sha256))
    return files


def file_name(day: str, type_: str, *, number: int) -> str:
    """Return a name that nobody else uses: an exporter that was believed dead must not write over ours."""
    return f"{DATA}/day={day}/type={type_}/{number:012}-{new_id().hex}.parquet"


def rows_behind(manifest: Manifest) -> int:
    """Return how many events the lake has not got yet, counted up to one batch."""
    return len(next_rows(manifest.cursor)[0])
