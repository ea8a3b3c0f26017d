"""Answering a report: its SQL over what the lake holds now, for a period and for what it is compared with."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from datetime import time as day_time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from analytics.reports.definitions import Report
from analytics.warehouse import Answer, ask, open_warehouse
from analytics.warehouse.formats import plain

Json = dict[str, Any]
_MINOR = "_minor"


@dataclass(frozen=True)
class Asked:
    """What a report is asked for: whole days, `first` to `last`, in `zone`; None: all clients, currencies."""

    report: Report
    client: str | None
    first: date
    last: date
    zone: str
    currency: str | None = None
    granularity: str | None = None
    compared: str | None = None

    def before(self) -> "Asked":
        """Return what this is compared with: as many days just before, or the same days a year before."""
        if self.compared == "previous_year":
            return replace(self, first=_a_year_before(self.first), last=_a_year_before(self.last))
        days = (self.last - self.first).days + 1
        return replace(self, first=self.first - timedelta(days=days), last=self.first - timedelta(days=1))


def document_of(asked: Asked) -> Json:
    """Return the report as the API shows it, with the period that it is compared with."""
    with open_warehouse() as warehouse:
        told_until = ask(warehouse, "SELECT max(recorded_at) FROM events").rows[0][0]
        return {
            "report": asked.report.name,
            "time_zone": asked.zone,
            "granularity": asked.granularity,
            "currency": asked.currency,
            "told_until": plain(told_until),
            **_period(warehouse, asked),
            "comparison": _period(warehouse, asked.before()) if asked.compared else None,
        }


def answer_of(warehouse: duckdb.DuckDBPyConnection, asked: Asked) -> Answer:
    """Return the rows of a report, as its SQL gives them."""
    return ask(warehouse, asked.report.sql, parameters_of(asked))


def parameters_of(asked: Asked) -> Json:
    """Return the parameters of a report's SQL; DuckDB refuses one that the SQL does not use."""
    every = {
        "client": asked.client,
        "currency": asked.currency,
        "since": _midnight(asked.first, asked.zone),
        "until": _midnight(asked.last + timedelta(days=1), asked.zone),
        "zone": asked.zone,
        "granularity": asked.granularity,
    }
    return {name: value for name, value in every.items() if f"${name}" in asked.report.sql}


def _period(warehouse: duckdb.DuckDBPyConnection, asked: Asked) -> Json:
    answer = answer_of(warehouse, asked)
    rows = [_row(dict(zip(answer.columns, row, strict=True))) for row in answer.rows]
    return {"from": asked.first.isoformat(), "to": asked.last.isoformat(), "data": rows}


def _row(row: Json) -> Json:
    """Return a row with each `…_minor` as the API's money, and rates as numbers of four digits."""
    currency = row.get("currency")
    shown: Json = {}
    for name, value in row.items():
        if name.endswith(_MINOR):
            money = None if value is None else {"amount": value, "currency": currency}
            shown[name.removesuffix(_MINOR)] = money
        else:
            # A rate is no money: the nearest double of four digits is written with these digits.
            shown[name] = float(value) if isinstance(value, Decimal) else plain(value)
    return shown


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, day_time(), ZoneInfo(zone))


def _a_year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year - 1, day=28)
