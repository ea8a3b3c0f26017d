"""A report as a file, piece by piece: no more than one batch of rows is in memory at a time."""

from collections.abc import Iterator
from io import RawIOBase
from typing import Any

import pyarrow.parquet as pq

from analytics.reports.answering import Asked, parameters_of
from analytics.warehouse import open_warehouse
from analytics.warehouse.asking import within
from analytics.warehouse.formats import csv_line

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
_ROWS_AT_ONCE = 5_000


def export(asked: Asked, format_: str) -> Iterator[bytes]:
    """Yield the bytes of a report as `csv` or `parquet`; amounts are minor units, as in the warehouse.

    Raises QueryFailedError when it takes too long, all of it together.
    """
    with open_warehouse() as warehouse, within(warehouse):
        rows = warehouse.sql(asked.report.sql, params=parameters_of(asked))
        reader = rows.to_arrow_reader(_ROWS_AT_ONCE)
        if format_ == "csv":
            yield csv_line(tuple(reader.schema.names)).encode()
            for batch in reader:
                lines = (csv_line(tuple(row.values())) for row in batch.to_pylist())
                yield "".join(lines).encode()
            return
        sink = _Pieces()
        with pq.ParquetWriter(sink, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
                yield sink.take()
        yield sink.take()


class _Pieces(RawIOBase):
    """A file that is written once, from its beginning to its end, and given away piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, piece: Any) -> int:
        """Keep a piece until it is taken."""
        self._pieces.append(bytes(piece))
        self._written += len(piece)
        return len(piece)

    def tell(self) -> int:
        """Return how much was written in all."""
        return self._written

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken, self._pieces = b"".join(self._pieces), []
        return taken
