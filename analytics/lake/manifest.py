"""The manifest: what the lake holds. Numbered; the highest number is the lake, all others are its past.

A commit is one file with the list of all data files and the place in the log up to which they hold every
event. Whoever is killed before it leaves files that nobody looks at; after it, the next one goes on behind.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from analytics.lake.storage import NameTakenError, Storage
from resilience.errors import Operational
from resilience.events import Cursor

FOLDER = "manifest"
_DIGITS = 12


class LakeMovedError(Operational):
    """Somebody else has committed meanwhile; begin again from the newest manifest."""

    code = "lake_moved"


@dataclass(frozen=True)
class DataFile:
    """A data file: where, what (UTC day and event type), how many rows, and the SHA-256 of its bytes."""

    path: str
    day: str
    type: str
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """All data files, which hold each event of the log up to `cursor` once."""

    number: int = 0
    cursor: Cursor = field(default_factory=Cursor)
    files: tuple[DataFile, ...] = ()

    @property
    def rows(self) -> int:
        """How many events the lake holds."""
        return sum(file.rows for file in self.files)

    def following(
        self, *, cursor: Cursor, added: Iterable[DataFile], without: Iterable[DataFile] = ()
    ) -> "Manifest":
        """Return the next manifest: with `added`, and no longer `without`."""
        gone = set(without)
        kept = (file for file in self.files if file not in gone)
        return replace(self, number=self.number + 1, cursor=cursor, files=(*kept, *added))


def read_manifest(storage: Storage) -> Manifest:
    """Return the newest manifest; of an empty lake, one with number 0."""
    names = [name for name in storage.names(FOLDER) if name.endswith(".json")]
    if not names:
        return Manifest()
    document = json.loads(storage.read(max(names)))
    return Manifest(
        number=document["number"],
        cursor=Cursor(**document["cursor"]),
        files=tuple(DataFile(**file) for file in document["files"]),
    )


def commit(storage: Storage, manifest: Manifest) -> None:
    """Make `manifest` the lake; raises LakeMovedError when its number is taken."""
    document = {
        "number": manifest.number,
        "cursor": asdict(manifest.cursor),
        "files": [asdict(file) for file in manifest.files],
    }
    try:
        storage.write(path_of(manifest.number), json.dumps(document).encode(), is_new=True)
    except NameTakenError as error:
        raise LakeMovedError(f"manifest {manifest.number} was committed by somebody else") from error


def path_of(number: int) -> str:
    """Return the name of a manifest's file."""
    return f"{FOLDER}/{number:0{_DIGITS}}.json"
