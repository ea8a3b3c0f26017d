"""What a report answered, and for which slots of time. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from analytics.reports.answering import Asked
from analytics.reports.definitions import MONTH, PERIODS, WEEK

Row = Mapping[str, Any]
Rows = Sequence[Row]
# The column that says how much a row's currency is used; the first that there is.
_WEIGHTS = ("orders", "payments", "count")


@dataclass(frozen=True)
class Found:
    """Rows of the period, and of what it is compared with (None: with nothing).

    `slots` are the beginnings of the days, weeks or months in the period, as rows name them; the slot of a
    place is compared with `slots_before` of that place. `currency` is the one that is drawn; None: no row
    has one.
    """

    rows: Rows
    before: Rows | None
    slots: Sequence[str]
    slots_before: Sequence[str]
    currency: str | None
    granularity: str | None

    @classmethod
    def of(cls, document: Mapping[str, Any], asked: Asked) -> "Found":
        """Return what the report's document says."""
        comparison = document["comparison"]
        before = asked.before()
        return cls(
            rows=document["data"],
            before=comparison["data"] if comparison else None,
            slots=slots_of(asked.first, asked.last, asked.granularity),
            slots_before=slots_of(before.first, before.last, asked.granularity) if comparison else (),
            currency=main_currency(document["data"]),
            granularity=asked.granularity,
        )

    @property
    def is_empty(self) -> bool:
        """Say whether nothing happened: no row, or a row of noughts."""
        return not any(value for row in self.rows for value in row.values())

    @property
    def currencies(self) -> list[str]:
        """Return the currencies of the rows, the one that is drawn first."""
        known = {row["currency"] for row in self.rows if "currency" in row}
        return sorted(known, key=lambda currency: (currency != self.currency, currency))


def main_currency(rows: Rows) -> str | None:
    """Return the currency that most orders or payments are in; None: no row has one."""
    used: Counter[str] = Counter()
    for row in rows:
        if "currency" in row:
            used[row["currency"]] += next((row[name] for name in _WEIGHTS if name in row), 1)
    return max(used, key=lambda currency: (used[currency], currency), default=None)


def slots_of(first: date, last: date, granularity: str | None) -> list[str]:
    """Return the beginning of each day, week (from Monday) or month that has a day of `first` to `last`."""
    if granularity not in PERIODS:
        return []
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return list(dict.fromkeys(_beginning(day, granularity).isoformat() for day in days))


def _beginning(day: date, granularity: str) -> date:
    if granularity == MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if granularity == WEEK else day
