"""What the business page draws and lists: lines, bars, heat, and rows beside those they are compared with."""

from dataclasses import asdict
from typing import Any

import pytest

from config.dashboard.business.charts import BARS_MAX, bars, lines, steps
from config.dashboard.business.heat import LEVELS, heat_of
from config.dashboard.business.looks import LOOKS
from config.dashboard.business.table import LINES_MAX, table_of
from config.dashboard.home.tiles import NOTHING
from tests.unit.business_reports import eur, found, sold, yen


def test_lines_have_a_nought_where_nothing_was_sold_and_their_before_at_the_same_place() -> None:
    told = found(
        [sold("2026-03-09", eur(100)), sold("2026-03-11", yen(7), orders=1)],
        [sold("2026-03-08", eur(50))],
        query="from=2026-03-09&to=2026-03-11",
    )

    drawing = lines("revenue", title="Revenue")(told)

    assert (drawing.unit, drawing.currency, drawing.exponent) == ("money", "EUR", 2)
    assert [(one.label, one.values, one.is_before) for one in drawing.series] == [
        ("Revenue", [100, 0, 0], False),
        ("Revenue, before", [0, 0, 50], True),
    ]


def test_where_nothing_settled_no_time_is_drawn() -> None:
    told = found([{"period": "2026-03-10", "orders": 1, "p50_ms": 20}], query="from=2026-03-10&to=2026-03-11")

    drawing = lines("p50_ms", title="Time", has_gaps=True)(told)

    assert (drawing.unit, drawing.series[0].values) == ("ms", [20, None])


def test_bars_are_the_greatest_and_stand_beside_what_they_were() -> None:
    rows = [{"sku": f"sku-{number}", "quantity": number} for number in range(BARS_MAX + 5)]

    drawing = bars("quantity", "sku", title="Best")(found(rows, [{"sku": "sku-14", "quantity": 3}]))

    assert (len(drawing.labels), drawing.labels[0]) == (BARS_MAX, "sku-14")
    assert [one.values[:2] for one in drawing.series] == [[14, 13], [3, 0]]


def test_steps_are_the_columns_of_the_one_row() -> None:
    drawing = steps("placed", "confirmed", title="Funnel")(found([{"placed": 6, "confirmed": 5}]))

    assert (drawing.labels, drawing.series[0].values) == (["Placed", "Confirmed"], [6, 5])


@pytest.mark.parametrize("report", LOOKS)
def test_a_drawing_is_plain_for_the_script(report: str) -> None:
    if (draw := LOOKS[report].draw) is None:
        return
    row = {
        "period": "2026-03-11", "currency": "EUR", "orders": 1, "revenue": eur(1), "amount": eur(1),
        "kind": "refund", "method_type": "card", "decline_code": "x", "captured": 1, "payments": 1,
        "sku": "a", "p50_ms": 1, "p90_ms": 1, "p99_ms": 1, "customers": 1, "repeat_customers": 0,
        "placed": 1, "confirmed": 1, "refunded": 0, "cancelled": 0,
    }  # fmt: skip

    drawing = asdict(draw(found([row], report=report)))

    assert drawing["kind"] in ("lines", "bars")
    assert all(len(one["values"]) == len(drawing["labels"]) for one in drawing["series"])


def came(cohort: str, later: int, customers: int, *, currency: str = "EUR") -> dict[str, Any]:
    return {
        "cohort": cohort, "months_later": later, "currency": currency, "customers": customers,
        "orders": customers, "revenue": {"amount": 100, "currency": currency},
    }  # fmt: skip


def test_heat_is_of_later_months_in_one_currency_and_of_the_first_month_where_it_is_known() -> None:
    told = found(
        [
            came("2026-01-01", 0, 200),
            came("2026-01-01", 1, 10),
            came("2026-01-01", 2, 1),
            came("2025-12-01", 2, 5),
            came("2025-12-01", 3, 5, currency="JPY"),
        ],
        report="cohorts",
    )

    heat = heat_of(told)

    assert list(heat.months) == [0, 1, 2]
    [(old, old_spots), (new, new_spots)] = heat.lines
    assert (old, [spot.text for spot in old_spots]) == ("December 2025", ["", "", "5"])
    assert old_spots[2].share == ""
    assert (new, [spot.share for spot in new_spots]) == ("January 2026", ["", "5.0 %", "0.5 %"])
    assert [spot.level for spot in new_spots] == [0, LEVELS, 1]


def test_rows_stand_beside_the_slot_of_the_same_place() -> None:
    told = found(
        [sold("2026-03-10", eur(100))],
        [sold("2026-03-08", eur(50)), sold("2026-03-09", eur(70))],
        query="from=2026-03-10&to=2026-03-11",
    )

    table = table_of(LOOKS["revenue"], told)

    assert table.keys == ["Period", "Currency", "Compared with"]
    assert [list(line.keys) for line in table.lines] == [
        ["Tue 2026-03-10", "EUR", "Sun 2026-03-08"],
        ["Wed 2026-03-11", "EUR", "Mon 2026-03-09"],
    ]
    place = table.figures.index("Revenue")
    assert [(line.cells[place].text, line.cells[place].before) for line in table.lines] == [
        ("1.00 EUR", "0.50 EUR"),
        (NOTHING, "0.70 EUR"),
    ]


def test_rows_of_a_ranking_stand_beside_their_own_and_what_is_gone_is_told() -> None:
    now = [{"decline_code": "expired", "method_type": "card", "payments": 3}]
    before = [
        {"decline_code": "lost", "method_type": "card", "payments": 2},
        {"decline_code": "expired", "method_type": "card", "payments": 1},
    ]

    table = table_of(LOOKS["declines"], found(now, before, report="declines"))

    assert [(line.keys[0], line.cells[0].text, line.cells[0].before) for line in table.lines] == [
        ("expired", "3", "1"),
        ("lost", NOTHING, "2"),
    ]


def test_the_busiest_times_are_compared_by_rank() -> None:
    now, before = [{"period": "2026-03-10", "orders": 9}], [{"period": "2026-02-10", "orders": 4}]

    [line] = table_of(LOOKS["busiest"], found(now, before, report="busiest")).lines

    assert list(line.keys) == ["Tue 2026-03-10", "Tue 2026-02-10"]
    assert (line.cells[0].text, line.cells[0].before) == ("9", "4")


def test_a_day_outside_of_the_period_is_shown_and_not_stumbled_over() -> None:
    told = found(
        [sold("2026-03-09", eur(1))], [sold("2026-03-08", eur(1))], query="from=2026-03-10&to=2026-03-11"
    )

    outside, within = table_of(LOOKS["revenue"], told).lines

    assert list(outside.keys) == ["Mon 2026-03-09", "EUR", NOTHING]
    assert list(within.keys) == ["Tue 2026-03-10", "EUR", "Sun 2026-03-08"]


def test_beside_a_period_without_rows_nothing_is_drawn_or_listed_as_before() -> None:
    told = found([sold("2026-03-10", eur(1))], [], query="from=2026-03-10&to=2026-03-10")

    table = table_of(LOOKS["revenue"], told)

    assert table.keys == ["Period", "Currency"]
    assert {cell.before for cell in table.lines[0].cells} == {""}
    assert len(lines("revenue", title="Revenue")(told).series) == 1


def test_a_long_table_is_cut_and_says_so() -> None:
    rows = [{"sku": f"{number}", "currency": "EUR", "orders": 1} for number in range(LINES_MAX + 1)]

    table = table_of(LOOKS["products"], found(rows, report="products"))

    assert (len(table.lines), table.count) == (LINES_MAX, LINES_MAX + 1)
