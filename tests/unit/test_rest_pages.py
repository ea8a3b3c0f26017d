"""Query strings are strict, and cursors belong to one client and one list."""

from uuid import UUID, uuid4

import pytest
from django.test import RequestFactory

from resilience.rest.errors import InvalidCursor, InvalidQuery, InvalidRequest
from resilience.rest.pagination import PARAMETERS, PageRequest, page_of_rows, read_page
from resilience.rest.query import query_parameters, timestamp_parameter

FACTORY = RequestFactory()


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("limit=1&limit=2", "limit", "repeated_parameter"),
        ("page=1", "page", "unknown_parameter"),
        ("_connector=OR", "_connector", "unknown_parameter"),
        ("limit=", "limit", "invalid"),
        ("cursor=" + "x" * 1025, "cursor", "invalid"),
        ("cursor=a%00b", "cursor", "invalid"),
        ("cursor=%ff", "", "invalid"),
        ("&".join(f"p{n}=1" for n in range(33)), "", "invalid"),
    ],
)
def test_a_query_string_is_known_names_once_each(query: str, field: str, code: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        query_parameters(FACTORY.get(f"/x?{query}"), allowed=PARAMETERS)

    assert [(error.field, error.code) for error in refused.value.errors] == [(field, code)]


def test_a_query_string_is_read_as_utf8() -> None:
    assert query_parameters(FACTORY.get("/x?limit=Zo%C3%AB+1"), allowed=PARAMETERS) == {"limit": "Zoë 1"}


def test_a_time_in_a_query_needs_its_zone() -> None:
    assert timestamp_parameter({}, "after") is None
    with pytest.raises(InvalidRequest, match="RFC 3339"):
        timestamp_parameter({"after": "2026-01-31"}, "after")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "01", "1.0", "1e1", "٣", "9" * 5000, " 5", "ten"])
def test_a_limit_outside_1_to_100_is_refused(limit: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _page({"limit": limit})

    assert [error.field for error in refused.value.errors] == ["limit"]


def test_a_limit_is_20_unless_told_and_at_most_100() -> None:
    assert _page({}).limit == 20
    assert _page({"limit": "1"}).limit == 1
    assert _page({"limit": "100"}).limit == 100


def test_pages_walk_every_row_once_newest_first() -> None:
    rows = sorted((uuid4() for _ in range(7)), reverse=True)
    seen: list[UUID] = []
    parameters = {"limit": "3"}

    for _ in range(3):
        wanted = _page(parameters)
        below = [row for row in rows if wanted.before is None or row < wanted.before][: wanted.rows_wanted]
        page = page_of_rows(below, wanted=wanted, represent=lambda row: row, identify=lambda row: row)
        seen += page["data"]  # type: ignore[arg-type]
        parameters = {"limit": "3", "cursor": page["next_cursor"]}

    assert seen == rows
    assert parameters["cursor"] is None


def test_the_last_full_page_has_no_next_cursor() -> None:
    rows = [uuid4(), uuid4()]

    page = page_of_rows(rows, wanted=_page({"limit": "2"}), represent=str, identify=lambda row: row)

    assert page == {"data": [str(row) for row in rows], "next_cursor": None}


def test_a_cursor_is_refused_when_it_is_not_ours_or_not_yours() -> None:
    cursor = _cursor()
    forged = ("A" if cursor[0] != "A" else "B") + cursor[1:]

    assert isinstance(_page({"cursor": cursor}).before, UUID)
    for wrong in (forged, cursor[:-1], cursor + "x", "aa", ".", "é", "x" * 300, cursor.split(".")[0]):
        with pytest.raises(InvalidCursor):
            _page({"cursor": wrong})
    with pytest.raises(InvalidCursor):
        _page({"cursor": cursor}, client="other")
    with pytest.raises(InvalidCursor):
        _page({"cursor": cursor}, path="/products")


def _page(parameters: dict[str, str], *, client: str = "shop", path: str = "/orders") -> PageRequest:
    return read_page(FACTORY.get(path), client=client, parameters=parameters)


def _cursor() -> str:
    rows = [uuid4(), uuid4()]
    page = page_of_rows(rows, wanted=_page({"limit": "1"}), represent=str, identify=lambda row: row)
    return str(page["next_cursor"])
