"""A list of the admin as CSV: what its columns show, for people and their spreadsheets."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import ChangeList
from django.utils.html import strip_tags

_CHECKBOX = "action_checkbox"
# A spreadsheet runs what begins like a formula, and clients choose some of the text
# (OWASP, "CSV Injection"). A number may begin with a sign.
# Full-width signs are signs to some of them.
_FORMULA = re.compile("[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?[\d.,]+( [A-Z]{3})?")


def as_csv(changelist: ChangeList, *, rows_max: int, without: Sequence[str]) -> str:
    """Return the list's columns of its first `rows_max` rows, all pages, under its filters and order.

    The columns `without` are not read.
    """
    text = io.StringIO()
    # Each cell in quotes: elsewhere a semicolon ends one.
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows(_lines(changelist, rows_max, without))
    return text.getvalue()


def _lines(changelist: ChangeList, rows_max: int, without: Sequence[str]) -> Iterator[list[str]]:
    admin = changelist.model_admin
    columns = [column for column in changelist.list_display if column != _CHECKBOX]
    yield [str(label_for_field(column, changelist.model, admin)) for column in columns]
    for row in changelist.queryset.defer(*without)[:rows_max]:
        yield [_cell(lookup_field(column, row, admin)[2]) for column in columns]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = strip_tags(str(value))
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
