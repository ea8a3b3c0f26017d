"""Fields take a value of their own type unchanged, or refuse it with its place."""

from datetime import UTC, datetime
from typing import Any

import pytest

from resilience.rest.errors import ERRORS_MAX, InvalidRequest
from resilience.rest.fields import CurrencyCode, Metadata, StrictInteger, StrictString, Timestamp
from resilience.rest.serializers import StrictSerializer


class Line(StrictSerializer):
    sku = StrictString(max_length=8, pattern="[a-z]+")
    quantity = StrictInteger(min_value=1, max_value=10)


class Shape(StrictSerializer):
    name = StrictString(max_length=5, required=False)
    amount = StrictInteger(min_value=0, max_value=100, required=False)
    currency = CurrencyCode(required=False)
    at = Timestamp(required=False)
    metadata = Metadata(required=False)
    lines = Line(many=True, min_length=1, max_length=3, required=False)
    line = Line(required=False, allow_null=True)
    seen = StrictInteger(read_only=True)


def _errors(data: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as refused:
        Shape.read(data)
    return [(error.field, error.code) for error in refused.value.errors]


def test_absent_fields_stay_absent() -> None:
    assert Shape.read({}) == {}


def test_values_are_returned_unchanged() -> None:
    data = {
        "name": "Zoë 1",
        "amount": 100,
        "currency": "EUR",
        "metadata": {"a": [1, 2.5, None, True, "x"]},
        "lines": [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 10}],
        "line": None,
    }

    assert Shape.read(data) == data


def test_times_are_returned_in_utc() -> None:
    assert Shape.read({"at": "2026-01-31T09:30:00.123456+02:00"}) == {
        "at": datetime(2026, 1, 31, 7, 30, 0, 123456, tzinfo=UTC)
    }


@pytest.mark.parametrize("value", [True, False, 1.0, 1e2, "1", " 1 ", "١", [], {}, 10**30 / 1])
def test_an_integer_is_nothing_else(value: object) -> None:
    assert _errors({"amount": value}) == [("/amount", "invalid")]


@pytest.mark.parametrize(
    ("value", "code"), [(-1, "min_value"), (101, "max_value"), (2**62, "max_value"), (None, "null")]
)
def test_an_integer_is_in_its_range(value: object, code: str) -> None:
    assert _errors({"amount": value}) == [("/amount", code)]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (1, "invalid"),
        (True, "invalid"),
        ([], "invalid"),
        ("", "blank"),
        ("abcdef", "max_length"),
        (" a", "whitespace"),
        ("a\u00a0", "whitespace"),
        ("   ", "whitespace"),
        ("a\nb", "control_character"),
        ("a\0b", "control_character"),
        ("\x85", "control_character"),
        ("a\u2028", "control_character"),
        ("\ud800", "control_character"),
        (None, "null"),
    ],
)
def test_a_string_is_refused_rather_than_changed(value: object, code: str) -> None:
    assert _errors({"name": value}) == [("/name", code)]


@pytest.mark.parametrize("value", ["eur", "EU", "ЕUR", "E R", "EUR\n"])
def test_a_currency_is_three_upper_case_letters(value: str) -> None:
    [(field, code)] = _errors({"currency": value})

    assert field == "/currency"
    assert code in {"pattern", "max_length", "control_character"}


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31T09:30:00",
        "2026-01-31",
        "2026-01-31 09:30:00Z",
        "2026-02-30T09:30:00Z",
        "2026-01-31T24:30:00Z",
        "2026-01-31T09:30:00+99:00",
        "2026-01-31T09:30:00.1234567Z",
        "20260131T093000Z",
        "٢026-01-31T09:30:00Z",
        "0001-01-01T00:00:00+10:00",
        "now",
        1769851800,
    ],
)
def test_a_time_without_zone_or_out_of_the_calendar_is_refused(value: object) -> None:
    assert _errors({"at": value}) == [("/at", "invalid")]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([], "invalid"),
        ("{}", "invalid"),
        ({f"k{n}": n for n in range(51)}, "max_keys"),
        ({"a": {f"k{n}": n for n in range(51)}}, "max_keys"),
        ({"k" * 65: 1}, "max_key_length"),
        ({"": 1}, "max_key_length"),
        ({"a": "x" * 16_384}, "max_bytes"),
        ({"a": 2**53 + 1}, "max_value"),
        ({"a": [-1e300]}, "max_value"),
        ({"a": [[[[[[[[1]]]]]]]]}, "max_depth"),
    ],
)
def test_metadata_is_bounded(value: object, code: str) -> None:
    assert _errors({"metadata": value}) == [("/metadata", code)]


def test_metadata_at_its_bounds_is_taken() -> None:
    metadata: dict[str, Any] = {f"{n:064d}": 2**53 for n in range(49)}
    metadata["deep"] = [[[[[[[1]]]]]]]

    assert Shape.read({"metadata": metadata}) == {"metadata": metadata}


def test_unknown_and_read_only_fields_are_refused_wherever_they_are() -> None:
    data = {
        "total": 1,
        "seen": 2,
        "line": {"sku": "a", "quantity": 1, "price": 5},
        "lines": [{"sku": "a", "x": 1}],
    }

    assert sorted(_errors(data)) == [
        ("/line/price", "unknown_field"),
        ("/lines/0/quantity", "required"),
        ("/lines/0/x", "unknown_field"),
        ("/seen", "unknown_field"),
        ("/total", "unknown_field"),
    ]


@pytest.mark.parametrize(
    ("value", "field", "code"),
    [
        ([], "/lines", "min_length"),
        ({}, "/lines", "not_a_list"),
        ("ab", "/lines", "not_a_list"),
        ([{"sku": "a", "quantity": 1}] * 4, "/lines", "max_length"),
        ([7], "/lines/0", "invalid"),
        ([None], "/lines/0", "null"),
    ],
)
def test_a_list_is_a_list_of_its_length(value: object, field: str, code: str) -> None:
    assert _errors({"lines": value}) == [(field, code)]


@pytest.mark.parametrize(
    ("data", "code"), [([], "invalid"), ("x", "invalid"), (None, "null"), (5, "invalid")]
)
def test_the_body_itself_must_be_an_object(data: object, code: str) -> None:
    assert _errors(data) == [("", code)]


def test_the_errors_told_are_bounded() -> None:
    assert len(_errors({f"unknown{n}": 1 for n in range(5000)})) == ERRORS_MAX


def test_a_long_or_unprintable_unknown_name_is_shown_short() -> None:
    [(field, _code)] = _errors({"a\x1b" + "x" * 500: 1})

    assert field.isprintable()
    assert len(field) < 100
