"""A report's rows as a table, each beside the row that it is compared with. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.dashboard.business.found import Found, Row, Rows
from config.dashboard.business.looks import Look, Pairing
from config.dashboard.business.written import label, written
from config.dashboard.home.tiles import NOTHING

# A page of more takes a phone seconds to lay out, and nobody reads it; the export has all.
LINES_MAX = 400
_DATED = (Pairing.SLOT, Pairing.RANK)


@dataclass(frozen=True)
class Cell:
    """A value as it is read; `before` is how it was, "" where nothing is compared."""

    text: str
    before: str = ""


@dataclass(frozen=True)
class Line:
    """What the row is of, and its figures."""

    keys: Sequence[str]
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Table:
    """Headings of keys and of figures, and the first lines of `count`."""

    keys: Sequence[str]
    figures: Sequence[str]
    lines: Sequence[Line]
    count: int


@dataclass(frozen=True)
class _Pair:
    now: Row | None
    before: Row | None
    place: int


def table_of(look: Look, found: Found) -> Table:
    """Return the table. A row that only the other period has stands in it too, without figures now."""
    figures = [name for name in found.rows[0] if name not in look.keys] if found.rows else []
    # Beside nothing at all, "before" would stand in each cell and say no more than the headline does.
    is_compared = bool(found.before) and look.pairing is not Pairing.NONE
    is_dated = is_compared and look.pairing in _DATED
    pairs = list(_pairs(look, found))
    return Table(
        keys=[*map(label, look.keys), *(["Compared with"] if is_dated else [])],
        figures=[label(name) for name in figures],
        lines=[
            Line(
                keys=list(_keys(pair, look, found, is_dated=is_dated)),
                cells=[_cell(pair, name, is_compared=is_compared) for name in figures],
            )
            for pair in pairs[:LINES_MAX]
        ],
        count=len(pairs),
    )


def _pairs(look: Look, found: Found) -> Iterator[_Pair]:
    now = _placed(found.rows, look, found.slots)
    before = _placed(found.before or (), look, found.slots_before) if look.pairing is not Pairing.NONE else {}
    places: Iterable[tuple[Any, ...]] = dict.fromkeys((*now, *before))
    if look.pairing is Pairing.SLOT:
        places = sorted(places)
    for number, place in enumerate(places):
        where = place[0] if look.pairing is Pairing.SLOT else number
        yield _Pair(now.get(place), before.get(place), where)


def _placed(rows: Rows, look: Look, slots: Sequence[str]) -> Mapping[tuple[Any, ...], Row]:
    """Return rows by what tells which belong together."""
    if look.pairing is Pairing.RANK:
        return {(number,): row for number, row in enumerate(rows)}
    if look.pairing is Pairing.SLOT:
        number_of = {slot: number for number, slot in enumerate(slots)}
        others = [name for name in look.keys if name != "period"]
        # Where a clock was set back over midnight, the first day has an hour of the day before.
        return {(number_of.get(row["period"], -1), *(row[name] for name in others)): row for row in rows}
    return {tuple(row[name] for name in look.keys): row for row in rows}


def _keys(pair: _Pair, look: Look, found: Found, *, is_dated: bool) -> Iterator[str]:
    """Yield what a row is of, and when that is which it is compared with."""
    for name in look.keys:
        if name == "period":
            yield _when(pair.now, found.slots, pair.place, found)
        else:
            yield written(name, (pair.now or pair.before or {}).get(name))
    if is_dated:
        yield _when(pair.before, found.slots_before, pair.place, found)


def _when(row: Row | None, slots: Sequence[str], place: int, found: Found) -> str:
    if row is not None:
        return written("period", row["period"], granularity=found.granularity)
    is_known = 0 <= place < len(slots)
    return written("period", slots[place], granularity=found.granularity) if is_known else NOTHING


def _cell(pair: _Pair, name: str, *, is_compared: bool) -> Cell:
    before = written(name, (pair.before or {}).get(name)) if is_compared else ""
    return Cell(written(name, (pair.now or {}).get(name)), before)
