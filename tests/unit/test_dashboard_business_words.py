"""The business page's words and figures: its address, headline and charts, and rows beside their before."""

from datetime import date
from typing import Any

import pytest

from analytics.reports.definitions import REPORTS
from config.dashboard.business.found import slots_of
from config.dashboard.business.headline import Figure, average, share, tiles_of, total
from config.dashboard.business.looks import LOOKS
from config.dashboard.business.told import NO_LAKE, empty_of, told_of
from config.dashboard.business.written import change, money, written
from config.dashboard.home.tiles import NOTHING
from resilience.rest.errors import InvalidRequest
from tests.unit.business_reports import NOON, asked, eur, found, sold, yen


def test_every_report_has_a_look() -> None:
    assert list(LOOKS) == list(REPORTS)


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("", date(2026, 2, 10), date(2026, 3, 11)),
        ("period=7d", date(2026, 3, 5), date(2026, 3, 11)),
        ("period=90d", date(2025, 12, 12), date(2026, 3, 11)),
        ("period=month", date(2026, 3, 1), date(2026, 3, 11)),
        ("from=2026-01-01&to=2026-01-31", date(2026, 1, 1), date(2026, 1, 31)),
        ("from=2026-03-10", date(2026, 3, 10), date(2026, 3, 11)),
        ("period=7d&time_zone=Pacific/Auckland", date(2026, 3, 6), date(2026, 3, 12)),
    ],
)
def test_a_period_ends_today_where_the_day_is(query: str, first: date, last: date) -> None:
    question = asked(query)

    assert (question.asked.first, question.asked.last) == (first, last)


def test_dates_win_over_a_period_and_a_field_left_empty_was_not_chosen() -> None:
    question = asked("period=7d&from=2026-01-01&to=2026-01-02&currency=&granularity=")

    assert (question.period, question.asked.first, question.asked.currency) == (None, date(2026, 1, 1), None)
    assert question.asked.granularity == "day"
    assert question.asked.client is None


def test_the_days_before_are_compared_with_unless_somebody_says_otherwise() -> None:
    assert asked().asked.compared == "previous_period"
    assert asked("compare=none").asked.compared is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "period=7d",
        "from=2026-01-01&to=2026-01-31&time_zone=Europe%2FBerlin&granularity=week&currency=EUR&compare=none",
        "compare=previous_year",
    ],
)
def test_an_address_can_be_sent_to_somebody(query: str) -> None:
    assert asked(query).query() == query
    assert asked(asked(query).query()) == asked(query)


def test_a_preset_takes_the_place_of_dates_and_keeps_the_rest() -> None:
    question = asked("from=2026-01-01&to=2026-01-31&currency=EUR")

    assert question.query(period="7d") == "period=7d&currency=EUR"


def test_another_report_is_asked_by_a_granularity_that_it_has() -> None:
    by_minute = asked("granularity=minute", report="busiest")
    by_week = asked("granularity=week")

    assert by_minute.of(REPORTS["revenue"]).asked.granularity == "day"
    assert by_week.of(REPORTS["refunds"]).query() == "granularity=week"
    assert by_week.of(REPORTS["funnel"]).query() == ""


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("period=1y", "period"),
        ("sql=1", "sql"),
        ("from=a&from=b", "from"),
        ("from=2026-02-30", "from"),
        ("from=2026-02-02&to=2026-02-01", "from"),
        ("time_zone=Mars/Olympus", "time_zone"),
        ("time_zone=" + "x" * 65, "time_zone"),
        ("granularity=minute", "granularity"),
        ("currency=XXX", "currency"),
        ("compare=tomorrow", "compare"),
    ],
)
def test_a_question_that_makes_no_sense_names_its_field(query: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked(query)

    assert [error.field for error in refused.value.errors] == [field]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("revenue", eur(123_456_789), "1,234,567.89 EUR"),
        ("revenue", yen(7), "7 JPY"),
        ("revenue", {"amount": 5, "currency": "KWD"}, "0.005 KWD"),
        ("revenue", None, NOTHING),
        ("success_rate", 0.8333, "83.3 %"),
        ("p99_ms", 2100, "2.1 s"),
        ("orders", 12345, "12,345"),
        ("orders", 0, "0"),
        ("method_type", "", "not known"),
        ("cohort", "2026-01-01", "January 2026"),
    ],
)
def test_values_are_written_for_people(name: str, value: Any, text: str) -> None:
    assert written(name, value) == text


def test_a_sum_may_be_more_than_any_payment() -> None:
    assert money(10**18 + 1, "EUR") == "10,000,000,000,000,000.01 EUR"


@pytest.mark.parametrize(
    ("granularity", "text"),
    [
        ("day", "Sun 2026-03-01"),
        ("week", "Week of 2026-03-01"),
        ("month", "March 2026"),
        ("minute", "Sun 2026-03-01 12:30"),
    ],
)
def test_a_slot_is_written_as_long_as_it_is(granularity: str, text: str) -> None:
    assert written("period", "2026-03-01T12:30", granularity=granularity) == text


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (12, 10, "+20.0 %"),
        (eur(5), eur(10), "-50.0 %"),
        (3, 3, "unchanged"),
        (3, 0, ""),
        (None, 3, ""),
        (0.75, 0.8, "-5.0 points"),
    ],
)
def test_a_change_is_told_where_it_can_be(now: Any, before: Any, text: str) -> None:
    assert change(now, before) == text


def test_slots_are_whole_days_weeks_and_months() -> None:
    first, last = date(2026, 2, 27), date(2026, 3, 2)

    assert slots_of(first, last, "day") == ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]
    assert slots_of(first, last, "week") == ["2026-02-23", "2026-03-02"]
    assert slots_of(first, last, "month") == ["2026-02-01", "2026-03-01"]
    assert slots_of(first, last, None) == []


def test_the_headline_is_in_the_currency_of_most_orders_and_tells_the_others() -> None:
    told = found(
        [sold("2026-03-10", eur(1000)), sold("2026-03-11", eur(2000)), sold("2026-03-11", yen(7))],
        [sold("2026-02-01", eur(1500))],
    )

    revenue, sales = tiles_of(
        (Figure("Revenue", "revenue", total("revenue")), Figure("Sales", "sales", total("sales"))), told
    )

    assert (revenue.value, revenue.others, revenue.before) == ("30.00 EUR", "7 JPY", "15.00 EUR")
    assert revenue.change == "+100.0 %"
    assert (sales.value, sales.before, sales.change) == ("3", "1", "+200.0 %")


def test_a_sum_of_no_row_is_nought_and_an_average_is_not_known() -> None:
    told = found([sold("2026-03-10", eur(1000))], [])

    revenue, sales, average_sale, *_others = tiles_of(LOOKS["revenue"].headline, told)

    assert (revenue.value, revenue.before, revenue.change) == ("10.00 EUR", "0.00 EUR", "")
    assert (sales.before, average_sale.before) == ("0", NOTHING)


def test_an_average_is_of_sums_and_a_share_of_nothing_is_none() -> None:
    rows = [sold("2026-03-10", eur(1000), sales=1), sold("2026-03-11", eur(2001), sales=1)]

    assert average("revenue", "sales")(rows) == {"EUR": eur(1501)}
    assert share("sales", "orders")(rows) == {"": 0.5}
    assert share("sales", "orders")([]) == {}


def test_old_data_says_so() -> None:
    fresh = told_of("2026-03-11T11:59:30Z", zone="Europe/Berlin", now=NOON)
    old = told_of("2026-03-11T09:00:00Z", zone="UTC", now=NOON)

    assert fresh is not None
    assert old is not None
    assert (fresh.text, fresh.age, fresh.is_old) == ("2026-03-11 12:59:30 Europe/Berlin", "30 s", False)
    assert (old.age, old.is_old) == ("3 h", True)
    assert told_of(None, zone="UTC", now=NOON) is None


def test_emptiness_says_what_to_do() -> None:
    told = told_of("2026-03-11T09:00:00Z", zone="UTC", now=NOON)

    assert empty_of(asked().asked, None) == NO_LAKE
    assert empty_of(asked("period=7d&currency=JPY").asked, told) == (
        "Nothing in JPY from 2026-03-05 to 2026-03-11. Choose other days or all currencies; "
        "the lake is told until 2026-03-11 09:00:00 UTC."
    )


@pytest.mark.parametrize(
    ("rows", "is_empty"),
    [([], True), ([{"placed": 0, "confirmed": 0, "confirmed_rate": None}], True), ([{"placed": 1}], False)],
)
def test_a_row_of_noughts_is_nothing(rows: list[dict[str, Any]], is_empty: bool) -> None:
    assert found(rows, report="funnel").is_empty is is_empty
