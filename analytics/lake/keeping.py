"""Looking after the lake: does it hold what the log holds, put small files together, make it anew."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from analytics.lake.exporting import DATA, exclusively, file_name, next_rows, write_rows
from analytics.lake.manifest import FOLDER, DataFile, Manifest, commit, path_of, read_manifest
from analytics.lake.schema import SCHEMA, Row, day_of, digest
from analytics.lake.storage import Storage
from resilience.events import Cursor

Part = tuple[str, str]
# Readers of a manifest that is no longer the newest go on reading its files for as long as a query lasts.
GRACE = timedelta(hours=1)
# How many manifests stay after the grace, to see how the lake came about.
_MANIFESTS_KEPT = 10


@dataclass(frozen=True)
class Fault:
    """A difference between the lake and the log, or a damaged file, in words."""

    where: str
    what: str


@dataclass(frozen=True)
class Verification:
    """What `verify` found: events compared, files read, and every fault."""

    events: int
    files: int
    faults: tuple[Fault, ...]


def verify(storage: Storage) -> Verification:
    """Compare the lake with the log up to the manifest's place: each event once, with the same content.

    Reads every file, checks its bytes, and compares count and digest for each day and type.
    """
    manifest = read_manifest(storage)
    faults: list[Fault] = []
    lake: dict[Part, tuple[int, int]] = defaultdict(lambda: (0, 0))
    ids: set[str] = set()
    for file in manifest.files:
        rows = _checked(storage, file, faults)
        twice = len(rows) - len({str(row["id"]) for row in rows} - ids)
        if twice:
            faults.append(Fault(file.path, f"{twice} events are here for the second time"))
        ids |= {str(row["id"]) for row in rows}
        count, total = lake[file.day, file.type]
        lake[file.day, file.type] = count + len(rows), total ^ digest(rows)
    log: dict[Part, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for rows in _log_up_to(manifest.cursor):
        for row in rows:
            part = day_of(row).isoformat(), str(row["type"])
            count, total = log[part]
            log[part] = count + 1, total ^ digest([row])
    faults += _differences(dict(lake), dict(log))
    return Verification(
        events=sum(count for count, _ in log.values()), files=len(manifest.files), faults=tuple(faults)
    )


def rebuild(storage: Storage) -> Manifest:
    """Write the whole lake anew from the log, and let it take the old one's place in one commit."""
    with exclusively(waits=True):
        before = read_manifest(storage)
        cursor, files = Cursor(), list[DataFile]()
        while True:
            rows, cursor = next_rows(cursor)
            if not rows:
                break
            files += write_rows(storage, rows, number=before.number + 1)
        after = before.following(cursor=cursor, added=files, without=before.files)
        commit(storage, after)
    return after


def compact(storage: Storage, *, now: datetime, grace: timedelta = GRACE) -> Manifest:
    """Put the files of each day and type into one, and delete what nobody has read for `grace`.

    Queries that run go on with the files that they know: those are deleted only after the grace.
    """
    with exclusively(waits=True):
        before = read_manifest(storage)
        parts: dict[Part, list[DataFile]] = defaultdict(list)
        for file in before.files:
            parts[file.day, file.type].append(file)
        merged, replaced = list[DataFile](), list[DataFile]()
        for (day, type_), files in sorted(parts.items()):
            if len(files) > 1:
                merged.append(_merged(storage, files, day=day, type_=type_, number=before.number + 1))
                replaced += files
        after = before
        if merged:
            after = before.following(cursor=before.cursor, added=merged, without=replaced)
            commit(storage, after)
        _sweep(storage, after, before=now - grace)
    return after


def _merged(storage: Storage, files: list[DataFile], *, day: str, type_: str, number: int) -> DataFile:
    table = pa.concat_tables([storage.read_table(file.path).select(SCHEMA.names) for file in files])
    table = table.sort_by([("xid", "ascending"), ("position", "ascending")])
    written = storage.write_table(file_name(day, type_, number=number), table)
    return DataFile(written.path, day, type_, table.num_rows, written.size, written.sha256)


def _sweep(storage: Storage, manifest: Manifest, *, before: datetime) -> None:
    """Delete data files that the newest manifest does not name, and old manifests, older than `before`."""
    named = {file.path for file in manifest.files}
    named |= {path_of(manifest.number - back) for back in range(_MANIFESTS_KEPT)}
    for folder in (DATA, FOLDER):
        for path, changed_at in storage.names(folder).items():
            if path not in named and changed_at is not None and changed_at < before:
                storage.delete(path)


def _checked(storage: Storage, file: DataFile, faults: list[Fault]) -> list[Row]:
    try:
        if storage.sha256_of(file.path) != file.sha256:
            faults.append(Fault(file.path, "its bytes are not those that were written"))
            return []
        rows: list[Row] = storage.read_table(file.path).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        faults.append(Fault(file.path, f"it cannot be read: {error}"))
        return []
    strays = sum((day_of(row).isoformat(), row["type"]) != (file.day, file.type) for row in rows)
    if strays or len(rows) != file.rows:
        faults.append(Fault(file.path, f"it has {len(rows)} rows of {file.rows}, {strays} of another place"))
    return rows


def _log_up_to(end: Cursor) -> Iterator[list[Row]]:
    cursor = Cursor()
    while cursor < end:
        rows, cursor = next_rows(cursor)
        if not rows:
            return
        yield [row for row in rows if (row["xid"], row["position"]) <= (end.xid, end.position)]


def _differences(lake: dict[Part, tuple[int, int]], log: dict[Part, tuple[int, int]]) -> Iterator[Fault]:
    for part in sorted(lake.keys() | log.keys()):
        (in_lake, lake_digest), (in_log, log_digest) = lake.get(part, (0, 0)), log.get(part, (0, 0))
        where = f"{DATA}/day={part[0]}/type={part[1]}"
        if in_lake != in_log:
            yield Fault(where, f"the lake has {in_lake} events, the log {in_log}")
        elif lake_digest != log_digest:
            yield Fault(where, "the events are not the same, or not with the same content")
