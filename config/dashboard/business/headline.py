"""The headline of a report: a few figures over all its rows, each with its change. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from config.dashboard.business.found import Found, Row, Rows
from config.dashboard.business.written import change, written

# By currency; what is no money is under "".
Values = Mapping[str, Any]
Measure = Callable[[Rows], Values]


@dataclass(frozen=True)
class Figure:
    """What is read from afar. `unit` is the column whose values it is written like.

    Where a sum is of no row it is nought; anything else is not known then.
    """

    title: str
    unit: str
    measure: Measure
    is_sum: bool = True


@dataclass(frozen=True)
class Tile:
    """A figure as it is shown; `others` in the currencies that are not drawn; `before` and `change` or ""."""

    title: str
    value: str
    others: str
    before: str
    change: str


def tiles_of(figures: tuple[Figure, ...], found: Found) -> list[Tile]:
    """Return the headline."""
    return [_tile(figure, found) for figure in figures]


def total(column: str, *, where: Callable[[Row], bool] = lambda _row: True) -> Measure:
    """Measure the sum of a column over the rows that are meant, each currency by itself."""

    def measure(rows: Rows) -> Values:
        sums: dict[str, Any] = {}
        for row in rows:
            if where(row) and row[column] is not None:
                _add(sums, row[column])
        return sums

    return measure


def share(part: str, whole: str, *more: str) -> Measure:
    """Measure the sum of a column as a share of the sum of another, or of several."""

    def measure(rows: Rows) -> Values:
        all_ = sum(row[name] for row in rows for name in (whole, *more))
        return {"": float(sum(row[part] for row in rows) / all_)} if all_ else {}

    return measure


def average(column: str, count: str) -> Measure:
    """Measure money by count, half up to the minor unit, each currency by itself."""

    def measure(rows: Rows) -> Values:
        sums, counts = total(column)(rows), Counter[str]()
        for row in rows:
            counts[row["currency"]] += row[count]
        return {
            currency: {**sums[currency], "amount": (2 * sums[currency]["amount"] + of) // (2 * of)}
            for currency, of in counts.items()
            if of
        }

    return measure


def greatest(column: str) -> Measure:
    """Measure the greatest value of a column."""

    def measure(rows: Rows) -> Values:
        known = [row[column] for row in rows if row[column] is not None]
        return {"": max(known)} if known else {}

    return measure


def _add(sums: dict[str, Any], value: Any) -> None:
    if isinstance(value, dict):
        currency = value["currency"]
        known = sums.get(currency, {"amount": 0})
        sums[currency] = {"amount": known["amount"] + value["amount"], "currency": currency}
    else:
        sums[""] = sums.get("", 0) + value


def _tile(figure: Figure, found: Found) -> Tile:
    now = figure.measure(found.rows)
    before = {} if found.before is None else figure.measure(found.before)
    main = found.currency if found.currency in (*now, *before) else ""
    value, was = now.get(main), before.get(main)
    if figure.is_sum:
        value, was = _or_nought(value, was), _or_nought(was, value)
    others = [written(figure.unit, now[name]) for name in found.currencies if name in now and name != main]
    return Tile(
        title=figure.title,
        value=written(figure.unit, value),
        others=", ".join(others),
        before="" if found.before is None else written(figure.unit, was),
        change="" if found.before is None else change(value, was),
    )


def _or_nought(value: Any, other: Any) -> Any:
    """Return `value`, or where there is none the nought of `other`'s kind."""
    if value is not None or other is None:
        return value
    return {**other, "amount": 0} if isinstance(other, dict) else 0
