"""The chart made for a report: lines over time, bars of a ranking, steps of a funnel. Pure.

Values are whole minor units and milliseconds; the page's script writes them. Money is drawn in one currency.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from config.dashboard.business.found import Found, Rows
from config.dashboard.business.written import label, moment, number, written
from payments.money import currency_exponent

# More bars than these are read in the table.
BARS_MAX = 10
NOW, BEFORE = "this period", "before"


@dataclass(frozen=True)
class Series:
    """A line, or a colour of bars. A None is a gap; `colour` is a place of the palette."""

    label: str
    values: Sequence[int | None]
    colour: int
    is_before: bool = False


@dataclass(frozen=True)
class Drawing:
    """What the script draws: `kind` lines or bars; `unit` count, money (minor units of `currency`) or ms."""

    kind: str
    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    unit: str = "count"
    currency: str = ""
    exponent: int = 0


Draw = Callable[[Found], Drawing]


def lines(*columns: str, title: str, by: str = "", has_gaps: bool = False) -> Draw:
    """Draw columns over time, or the one column for each value of `by`, and dashed how it was before.

    Where there is no row it is 0; with `has_gaps`, nothing is known.
    """

    def draw(found: Found) -> Drawing:
        missing = None if has_gaps else 0
        kinds = sorted({row[by] for row in found.rows}) if by else [""]
        drawn = []
        for colour, (column, kind) in enumerate((column, kind) for column in columns for kind in kinds):
            name = kind if by else label(column)
            values = _over_time(_of(found.rows, found, column, by, kind), column, found.slots, missing)
            drawn.append(Series(name, values, colour))
            if found.before:
                before = _of(found.before, found, column, by, kind)
                values = _over_time(before, column, found.slots_before[: len(found.slots)], missing)
                drawn.append(Series(f"{name}, {BEFORE}", values, colour, is_before=True))
        labels = [moment(slot, found.granularity) for slot in found.slots]
        return Drawing("lines", title, labels, drawn, **_unit(columns[0], found))

    return draw


def bars(column: str, *by: str, title: str, is_compared: bool = True) -> Draw:
    """Draw a ranking: the greatest sums of `column`, a bar for each value of `by`."""

    def draw(found: Found) -> Drawing:
        sums = _sums(found.rows, found, column, by)
        ranked = sorted(sums, key=lambda place: (-sums[place], place))[:BARS_MAX]
        drawn = [Series(NOW, [sums[place] for place in ranked], 0)]
        if found.before and is_compared:
            before = _sums(found.before, found, column, by)
            drawn.append(Series(BEFORE, [before.get(place, 0) for place in ranked], 0, is_before=True))
        labels = [
            ", ".join(
                written(name, one, granularity=found.granularity) for name, one in zip(by, place, strict=True)
            )
            for place in ranked
        ]
        return Drawing("bars", title, labels, drawn, **_unit(column, found))

    return draw


def steps(*columns: str, title: str) -> Draw:
    """Draw the columns of a report of one row, each a bar below the one before."""

    def draw(found: Found) -> Drawing:
        drawn = [Series(NOW, [found.rows[0][name] for name in columns], 0)]
        if found.before:
            drawn.append(Series(BEFORE, [found.before[0][name] for name in columns], 0, is_before=True))
        return Drawing("bars", title, [label(name) for name in columns], drawn)

    return draw


def _is_drawn(value: Any, found: Found) -> bool:
    return not isinstance(value, dict) or value["currency"] == found.currency


def _of(rows: Rows, found: Found, column: str, by: str, kind: str) -> Rows:
    return [row for row in rows if (not by or row[by] == kind) and _is_drawn(row[column], found)]


def _over_time(rows: Rows, column: str, slots: Sequence[str], missing: int | None) -> list[int | None]:
    known = {row["period"]: number(row[column]) for row in rows}
    return [known.get(slot, missing) for slot in slots]


def _sums(rows: Rows, found: Found, column: str, by: tuple[str, ...]) -> dict[tuple[Any, ...], int]:
    sums: dict[tuple[Any, ...], int] = {}
    for row in rows:
        if _is_drawn(row[column], found):
            place = tuple(row[name] for name in by)
            sums[place] = sums.get(place, 0) + number(row[column])
    return sums


def _unit(column: str, found: Found) -> dict[str, Any]:
    """Return how values of a column are written, by the first one."""
    value = next((row[column] for row in found.rows), None)
    if isinstance(value, dict) and found.currency:
        return {
            "unit": "money",
            "currency": found.currency,
            "exponent": currency_exponent(found.currency),
        }
    return {"unit": "ms" if column.endswith("_ms") else "count"}
