"""Answers of the warehouse as text: exact amounts, RFC 3339 times, and no cell that a spreadsheet runs."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

from analytics.warehouse.asking import Answer

# A spreadsheet takes a text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(answer: Answer) -> Iterator[str]:
    """Yield a JSON array of objects, a row a line; decimals are numbers with all their digits."""
    yield "["
    for number, row in enumerate(answer.rows):
        fields = (
            f"{json.dumps(name)}: {_json(value)}" for name, value in zip(answer.columns, row, strict=True)
        )
        yield f"{',' if number else ''}\n  {{{', '.join(fields)}}}"
    yield "\n]\n" if answer.rows else "]\n"


def as_csv(answer: Answer) -> Iterator[str]:
    """Yield CSV (RFC 4180) with a line of names; text that looks like a formula gets an apostrophe."""
    yield csv_line(answer.columns)
    for row in answer.rows:
        yield csv_line(row)


def csv_line(row: tuple[Any, ...]) -> str:
    """Return one line of CSV."""
    line = StringIO()
    csv.writer(line).writerow([_cell(value) for value in row])
    return line.getvalue()


def as_table(answer: Answer) -> Iterator[str]:
    """Yield a table for people, and a word when there is more."""
    lines = [answer.columns, *(tuple(_text(value) for value in row) for row in answer.rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(answer.columns))]
    for number, line in enumerate(lines):
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        if number == 0:
            yield "  ".join("-" * width for width in widths) + "\n"
    if answer.is_cut:
        yield f"… and more: these are the first {len(answer.rows)} rows. Ask for more with --limit.\n"


def plain(value: Any) -> Any:
    """Return a value in the types of JSON, but for decimals, which stay exact."""
    match value:
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case list() | tuple():
            return [plain(one) for one in value]
        case dict():
            return {str(name): plain(one) for name, one in value.items()}
        case None | bool() | int() | float() | str() | Decimal():
            return value
    return str(value)


def _json(value: Any) -> str:
    value = plain(value)
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else "null"
    return json.dumps(value, default=str, ensure_ascii=False)


def _text(value: Any) -> str:
    value = plain(value)
    return "" if value is None else str(value)


def _cell(value: Any) -> str:
    text = _text(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
