"""Cursor pages over a sorted key: newest first over a UUIDv7, or ascending over a text.

A cursor is the last key shown, signed for one client and one list: whoever changes it, or takes it to
another list or client, is told `invalid_cursor`. A page costs one index range, whatever its number.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from resilience.rest.errors import FieldError, InvalidCursor, invalid_field

LIMIT_DEFAULT = 20
# A list answers in one statement and a few hundred KiB; ten times as much would be an export.
LIMIT_MAX = 100
PARAMETERS = frozenset({"cursor", "limit"})
_LIMIT_DIGITS_MAX = 3
_CURSOR_LENGTH_MAX = 256

Row = TypeVar("Row")


@dataclass(frozen=True)
class PageRequest:
    """Which page is wanted: `limit` rows behind the key `after` (None: from the beginning)."""

    limit: int
    after: str | None
    scope: str

    @property
    def before(self) -> UUID | None:
        """The id below which a list goes on that shows the newest UUIDv7 first."""
        return None if self.after is None else UUID(self.after)

    @property
    def rows_wanted(self) -> int:
        """How many rows to select: one more than shown tells whether there is a next page."""
        return self.limit + 1


def read_page(request: HttpRequest, *, client: str, parameters: Mapping[str, str]) -> PageRequest:
    """Return the page that the query parameters ask for.

    Raises InvalidRequest for a `limit` outside 1..100 and InvalidCursor for a cursor that was not
    given to this client by this list.
    """
    scope = f"{client} {request.path}"
    cursor = parameters.get("cursor")
    return PageRequest(
        limit=read_limit(parameters.get("limit")),
        after=None if cursor is None else open_cursor(cursor, scope=scope),
        scope=scope,
    )


def page_of_queryset(
    queryset: QuerySet[Any], *, wanted: PageRequest, represent: Callable[[Any], object]
) -> dict[str, object]:
    """Return the page of a query set; its own order is replaced by newest first."""
    newest_first: QuerySet[Model] = queryset.order_by("-pk")
    if wanted.before is not None:
        newest_first = newest_first.filter(pk__lt=wanted.before)
    return page_of_rows(newest_first[: wanted.rows_wanted], wanted=wanted, represent=represent)


def page_of_rows(
    rows: Iterable[Row],
    *,
    wanted: PageRequest,
    represent: Callable[[Row], object],
    identify: Callable[[Row], UUID | str] = lambda row: row.pk,  # type: ignore[attr-defined]
) -> dict[str, object]:
    """Return `{"data": […], "next_cursor": … | None}` from up to `rows_wanted` sorted rows.

    For raw SQL: select `id < before order by id desc limit rows_wanted` and say how to `identify` a row.
    """
    found = list(islice(rows, wanted.rows_wanted))
    shown = found[: wanted.limit]
    more = len(found) > wanted.limit
    return {
        "data": [represent(row) for row in shown],
        "next_cursor": make_cursor(identify(shown[-1]), scope=wanted.scope) if more else None,
    }


def read_limit(text: str | None) -> int:
    """Return the rows that a page may have; raises InvalidRequest unless it is 1..100."""
    if text is None:
        return LIMIT_DEFAULT
    canonical = text.isascii() and text.isdigit() and len(text) <= _LIMIT_DIGITS_MAX and text[0] != "0"
    if not canonical or int(text) > LIMIT_MAX:
        raise invalid_field("limit", code="invalid", detail=f"Send an integer from 1 to {LIMIT_MAX}.")
    return int(text)


def make_cursor(last: UUID | str, *, scope: str) -> str:
    """Return the cursor of a place, `last`, that only the list of `scope` opens."""
    return _signer(scope).sign(urlsafe_b64encode(str(last).encode()).decode().rstrip("="))


def open_cursor(cursor: str, *, scope: str, field: str = "cursor") -> str:
    """Return the place that a cursor stands for; raises InvalidCursor for one of another scope or hand."""
    try:
        if len(cursor) > _CURSOR_LENGTH_MAX:
            raise BadSignature(cursor[:_CURSOR_LENGTH_MAX])
        return urlsafe_b64decode(_signer(scope).unsign(cursor) + "==").decode()
    except (BadSignature, Base64Error, ValueError) as error:
        detail = "This cursor was not given to you by this list. Begin again without one."
        raise InvalidCursor(detail, errors=[FieldError(field, "invalid_cursor", detail)]) from error


def _signer(scope: str) -> Signer:
    # The dot is in no base64 alphabet; the scope goes into the key, so it need not be in the cursor.
    return Signer(sep=".", salt=f"resilience.rest.pagination {scope}")
