"""Where the lake lies: a folder or an S3 bucket, by pyarrow's file systems.

What is written becomes visible whole or not at all. A folder also says no to whoever writes a name that is
taken; S3 does not, so there the lock of the exporter (exporting.py) is all that keeps two apart.
"""

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from django.conf import settings


class NameTakenError(Exception):
    """Somebody has written this name before."""


@dataclass(frozen=True)
class Written:
    """A file that was written: its bytes and their SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Storage:
    """A file system and the lake's root in it."""

    fs: pyarrow.fs.FileSystem
    root: str

    def write_table(self, path: str, table: pa.Table) -> Written:
        """Write a Parquet file; the same name again replaces it."""
        sink = BytesIO()
        pq.write_table(table, sink, compression="zstd")
        return self.write(path, sink.getvalue())

    def read_table(self, path: str) -> pa.Table:
        """Read a Parquet file; raises OSError or pyarrow's ArrowInvalid when it is not whole."""
        return pq.read_table(BytesIO(self.read(path)))

    def write(self, path: str, content: bytes, *, is_new: bool = False) -> Written:
        """Write a file so that nobody sees a part of it; raises NameTakenError if `is_new` and it is not."""
        full = f"{self.root}/{path}"
        if isinstance(self.fs, pyarrow.fs.LocalFileSystem):
            _write_locally(full, content, is_new=is_new)
        else:
            if is_new and self.fs.get_file_info(full).type is not pyarrow.fs.FileType.NotFound:
                raise NameTakenError(path)
            with self.fs.open_output_stream(full) as stream:
                stream.write(content)
        return Written(path, len(content), hashlib.sha256(content).hexdigest())

    def read(self, path: str) -> bytes:
        """Return a file's bytes; raises FileNotFoundError."""
        with self.fs.open_input_stream(f"{self.root}/{path}") as stream:
            content: bytes = stream.read()
        return content

    def sha256_of(self, path: str) -> str:
        """Return the SHA-256 of a file's bytes; raises FileNotFoundError."""
        return hashlib.sha256(self.read(path)).hexdigest()

    def names(self, folder: str) -> dict[str, datetime | None]:
        """Return the files below `folder`, relative to the root, with the time of their last change."""
        selector = pyarrow.fs.FileSelector(f"{self.root}/{folder}", recursive=True, allow_not_found=True)
        return {
            info.path.removeprefix(f"{self.root}/"): info.mtime
            for info in self.fs.get_file_info(selector)
            if info.type is pyarrow.fs.FileType.File
        }

    def delete(self, path: str) -> None:
        """Delete a file; one that is gone already is no error."""
        try:
            self.fs.delete_file(f"{self.root}/{path}")
        except FileNotFoundError:
            return


def storage() -> Storage:
    """Return the lake's place: HOLDFAST_LAKE_URL, a folder or `s3://bucket/prefix`."""
    url = settings.LAKE_URL
    if not url.startswith("s3://"):
        return Storage(pyarrow.fs.LocalFileSystem(), os.path.abspath(url))
    options = {"endpoint_override": settings.LAKE_S3_ENDPOINT} if settings.LAKE_S3_ENDPOINT else {}
    return Storage(pyarrow.fs.S3FileSystem(**options), url.removeprefix("s3://").rstrip("/"))


def _write_locally(path: str, content: bytes, *, is_new: bool) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}.part"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            try:
                os.link(temporary, path)  # unlike a rename, it fails when the name is taken
            except FileExistsError as error:
                raise NameTakenError(path) from error
        else:
            os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
