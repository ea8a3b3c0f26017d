"""A list of the admin as CSV: what its columns show, for people and their spreadsheets."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import ChangeList
from django.utils.html import strip_tags

_CHECKBOX = "action_checkbox"
# A spreadsheet runs what begins like a formula, and clients choose some of the text
# (OWASP, "CSV Injection"). A number may begin with a sign.
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?[\d.,]+( [A-Z]{3})?")


def as_csv(changelist: ChangeList, *, rows_max: int) -> str:
    """Return the list's columns of its first `rows_max` rows, all pages, under its filters and order."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows(_lines(changelist, rows_max))
    return text.getvalue()


def _lines(changelist: ChangeList, rows_max: int) -> Iterator[list[str]]:
    admin = changelist.model_admin
    columns = [column for column in changelist.list_display if column != _CHECKBOX]
    yield [str(label_for_field(column, changelist.model, admin)) for column in columns]
    for row in changelist.queryset[:rows_max]:
        yield [_cell(lookup_field(column, row, admin)[2]) for column in columns]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = strip_tags(str(value))
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
