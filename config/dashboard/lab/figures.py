"""A finding as the page shows it: tables, and for each chart a sentence and a table of its curves. Pure.

It takes the finding's JSON object; its numbers are written as the command writes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resilience.lab.findings import Cell, written


@dataclass(frozen=True)
class Row:
    """`head` says what the row is about."""

    head: str
    cells: Sequence[str]


@dataclass(frozen=True)
class Sheet:
    """A table in words: as many columns as a row has cells, and one for its head."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]


@dataclass(frozen=True)
class Picture:
    """A chart: `curves` is for those who do not see it."""

    name: str
    title: str
    reading: str
    curves: Sheet


def sheet_of(table: Mapping[str, Any]) -> Sheet:
    """Return a table of a finding."""
    return _sheet(table["title"], table["columns"], table["rows"])


def picture_of(chart: Mapping[str, Any]) -> Picture:
    """Return a chart of a finding, with where each of its curves begins, ends, and lies between."""
    x, y = chart["x"], chart["y"]
    columns = ("curve", f"{x['label']}: from", "to", f"{y['label']}: lowest", "highest", "last")
    rows = [
        (
            series["label"],
            _seen(series["x"][0], x),
            _seen(series["x"][-1], x),
            _seen(min(series["y"]), y),
            _seen(max(series["y"]), y),
            _seen(series["y"][-1], y),
        )
        for series in chart["series"]
    ]
    curves = _sheet(f"Curves of “{chart['title']}”", columns, rows)
    return Picture(chart["name"], chart["title"], chart["reading"], curves)


def _seen(value: float, axis: Mapping[str, Any]) -> Cell:
    """Return what a picture tells: a point below where its axis begins may stand for zero."""
    lowest = axis["lowest"]
    return f"< {lowest:g}" if lowest is not None and value < lowest else value


def _sheet(title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Sheet:
    texts = zip(*map(written, zip(*rows, strict=True)), strict=True)
    return Sheet(title, columns, [Row(head, cells) for head, *cells in texts])
