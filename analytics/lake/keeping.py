"""Looking after the lake: does it hold what the log holds, put small files together, make it anew."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from analytics.lake.exporting import DATA, exclusively, file_name, next_rows, write_rows
from analytics.lake.manifest import FOLDER, DataFile, Manifest, commit, path_of, read_manifest
from analytics.lake.schema import SCHEMA, Row, day_of, digest, recorded_at
from analytics.lake.storage import Storage
from resilience.errors import Refusal
from resilience.events import Cursor, Mark, beginning, keep_days

logger = logging.getLogger(__name__)

Part = tuple[str, str]
# Readers of a manifest that is no longer the newest go on reading its files for as long as a query lasts.
GRACE = timedelta(hours=1)
# How many manifests stay after the grace, to see how the lake came about.
_MANIFESTS_KEPT = 10
_EVER = datetime.min.replace(tzinfo=UTC)


class DamagedFileError(Refusal):
    """A file of the lake is not there, or its bytes are not those that were written."""

    code = "lake_damaged"


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

    Reads every file, checks its bytes, and compares count and digest for each day and type. What the log
    has forgotten is compared with nothing: of those events only the bytes are checked.
    """
    while True:
        since = _begins_at(beginning())
        found = _verified(storage, since=since)
        # A day was forgotten meanwhile: it would be missed in the log.
        if _begins_at(beginning()) == since:
            return found


def _verified(storage: Storage, *, since: datetime) -> Verification:
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
        known = _recorded_since(rows, since)
        count, total = lake[file.day, file.type]
        lake[file.day, file.type] = count + len(known), total ^ digest(known)
    log: dict[Part, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for rows in _log_up_to(manifest.cursor, since=since):
        for row in rows:
            part = day_of(row).isoformat(), str(row["type"])
            count, total = log[part]
            log[part] = count + 1, total ^ digest([row])
    faults += _differences(_filled(lake), _filled(log))
    return Verification(
        events=sum(count for count, _ in log.values()), files=len(manifest.files), faults=tuple(faults)
    )


def rebuild(storage: Storage) -> Manifest:
    """Write the whole lake anew from the log, and let it take the old one's place in one commit.

    Events that the log has forgotten stay as they are in the lake. Raises DamagedFileError when a file is
    damaged that may hold some.
    """
    with exclusively(waits=True):
        since = _begins_at(keep_days())
        before = read_manifest(storage)
        cursor, files = Cursor(), _forgotten(storage, before, since=since)
        while True:
            rows, cursor = next_rows(cursor)
            if not rows:
                break
            files += write_rows(storage, _recorded_since(rows, since), number=before.number + 1)
        after = before.following(cursor=cursor, added=files, without=before.files)
        commit(storage, after)
    return after


def compact(storage: Storage, *, now: datetime, grace: timedelta = GRACE) -> Manifest:
    """Put the files of each day and type into one, and delete what nobody has read for `grace`.

    Queries that run go on with the files that they know: those are deleted only after the grace. A day and
    type with a damaged file stays as it is: in a new file, its bytes would look right.
    """
    with exclusively(waits=True):
        before = read_manifest(storage)
        parts: dict[Part, list[DataFile]] = defaultdict(list)
        for file in before.files:
            parts[file.day, file.type].append(file)
        merged, replaced = list[DataFile](), list[DataFile]()
        for (day, type_), files in sorted(parts.items()):
            if len(files) < 2:
                continue
            try:
                merged.append(_merged(storage, files, day=day, type_=type_, number=before.number + 1))
            except DamagedFileError as error:
                logger.error("Files of the lake were not put together.", extra={"error": error.message})
                continue
            replaced += files
        after = before
        if merged:
            after = before.following(cursor=before.cursor, added=merged, without=replaced)
            commit(storage, after)
        _sweep(storage, after, before=now - grace)
    return after


def rows_before(storage: Storage, manifest: Manifest, *, before: datetime) -> Iterator[list[Row]]:
    """Yield the lake's events that were recorded before `before`, a file at a time.

    Raises DamagedFileError.
    """
    for file in manifest.files:
        rows: list[Row] = _whole(storage, file).to_pylist()
        yield [row for row in rows if recorded_at(row) < before]


def _forgotten(storage: Storage, manifest: Manifest, *, since: datetime) -> list[DataFile]:
    files = list[DataFile]()
    if since == _EVER:
        return files
    try:
        for rows in rows_before(storage, manifest, before=since):
            files += write_rows(storage, rows, number=manifest.number + 1)
    except DamagedFileError as error:
        raise DamagedFileError(
            f"The log begins on {since:%Y-%m-%d}, and this file may hold older events: {error.message} "
            "Bring it back from the bucket's versions or a backup, then rebuild."
        ) from error
    return files


def _begins_at(mark: Mark | None) -> datetime:
    return _EVER if mark is None or mark.xid == 0 else mark.moment


def _recorded_since(rows: list[Row], since: datetime) -> list[Row]:
    return [row for row in rows if recorded_at(row) >= since]


def _filled(parts: dict[Part, tuple[int, int]]) -> dict[Part, tuple[int, int]]:
    return {part: (count, total) for part, (count, total) in parts.items() if count}


def _merged(storage: Storage, files: list[DataFile], *, day: str, type_: str, number: int) -> DataFile:
    table = pa.concat_tables([_whole(storage, file).select(SCHEMA.names) for file in files])
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


def _whole(storage: Storage, file: DataFile) -> pa.Table:
    """Return what was written to `file`; raises DamagedFileError."""
    try:
        if storage.sha256_of(file.path) != file.sha256:
            raise DamagedFileError(f"{file.path}: its bytes are not those that were written.")
        return storage.read_table(file.path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DamagedFileError(f"{file.path}: it cannot be read ({error}).") from error


def _checked(storage: Storage, file: DataFile, faults: list[Fault]) -> list[Row]:
    try:
        rows: list[Row] = _whole(storage, file).to_pylist()
    except DamagedFileError as error:
        faults.append(Fault(file.path, error.message))
        return []
    strays = sum((day_of(row).isoformat(), row["type"]) != (file.day, file.type) for row in rows)
    if strays or len(rows) != file.rows:
        faults.append(Fault(file.path, f"it has {len(rows)} rows of {file.rows}, {strays} of another place"))
    return rows


def _log_up_to(end: Cursor, *, since: datetime) -> Iterator[list[Row]]:
    cursor = Cursor()
    while cursor < end:
        rows, cursor = next_rows(cursor)
        if not rows:
            return
        yield [
            row
            for row in _recorded_since(rows, since)
            if (row["xid"], row["position"]) <= (end.xid, end.position)
        ]


def _differences(lake: dict[Part, tuple[int, int]], log: dict[Part, tuple[int, int]]) -> Iterator[Fault]:
    for part in sorted(lake.keys() | log.keys()):
        (in_lake, lake_digest), (in_log, log_digest) = lake.get(part, (0, 0)), log.get(part, (0, 0))
        where = f"{DATA}/day={part[0]}/type={part[1]}"
        if in_lake != in_log:
            yield Fault(where, f"the lake has {in_lake} events, the log {in_log}")
        elif lake_digest != log_digest:
            yield Fault(where, "the events are not the same, or not with the same content")
