"""Reports over HTTP: right to the minor unit and the day of the zone, each client's own, and strict."""

import csv
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from analytics.lake.exporting import export_once
from analytics.lake.storage import storage
from analytics.reports.definitions import REPORTS
from orders.events import OrderCancelled
from payments.events import PaymentRefunded
from resilience.apikeys.cache import known_keys
from resilience.events import Fact
from resilience.ids import new_id
from tests.api.foundation import Caller, assert_problem
from tests.lake_kit import NOON, confirmed, declined, placed, refunded, told

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/api/v1/reports"
MARCH = "from=2026-03-01&to=2026-03-31"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _lake(settings: Any, tmp_path: Path) -> None:
    known_keys.forget_all()
    settings.LAKE_URL, settings.CACHING = str(tmp_path / "lake"), False


@pytest.fixture
def reader() -> Caller:
    return Caller(client="shop", permissions=("reports.read",))


def export() -> None:
    while export_once(storage()).rows:
        pass


def rows(reader: Caller, name: str, query: str = MARCH) -> list[dict[str, Any]]:
    answer = reader.get(f"{URL}/{name}?{query}")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def eur(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "EUR"}


def test_every_report_is_listed_and_answers_without_any_order(reader: Caller) -> None:
    listed = reader.get(URL).json()["data"]

    assert [line["name"] for line in listed] == list(REPORTS)
    for line in listed:
        answer = reader.get(f"{URL}/{line['name']}")
        assert answer.status_code == 200, answer.content
        assert answer.json()["told_until"] is None


def test_revenue_by_day_is_of_sales_at_the_time_of_purchase(reader: Caller) -> None:
    for total_minor in (1000, 1001, 1001):
        confirmed(placed(total_minor=total_minor), total_minor=total_minor, at=NOON + 5 * DAY)
    placed(total_minor=9999)
    back = placed(at=NOON + DAY, total_minor=500)
    refunded(back, confirmed(back, total_minor=500), amount_minor=200, total_minor=500)
    placed(client="another")
    export()

    assert rows(reader, "revenue") == [
        {
            "period": "2026-03-01", "currency": "EUR", "orders": 4, "sales": 3, "revenue": eur(3002),
            "refunded": eur(0), "average_sale": eur(1001),
        },
        {
            "period": "2026-03-02", "currency": "EUR", "orders": 1, "sales": 1, "revenue": eur(500),
            "refunded": eur(200), "average_sale": eur(500),
        },
    ]  # fmt: skip


def test_a_day_begins_at_midnight_of_the_zone_that_is_asked_for(reader: Caller) -> None:
    placed(at=datetime(2026, 3, 1, 2, tzinfo=UTC))
    export()

    zone = "time_zone=America/Sao_Paulo"
    assert rows(reader, "revenue", f"{MARCH}&{zone}") == []
    [row] = rows(reader, "revenue", f"from=2026-02-28&to=2026-02-28&{zone}")
    assert row["period"] == "2026-02-28"
    [month] = rows(reader, "revenue", f"from=2026-02-01&to=2026-03-31&granularity=month&{zone}")
    assert month["period"] == "2026-02-01"


def test_currencies_are_never_added_up(reader: Caller) -> None:
    confirmed(placed(total_minor=100), total_minor=100)
    confirmed(placed(total_minor=7, currency="JPY"), total_minor=7, currency="JPY")
    export()

    both = rows(reader, "revenue")
    [yen] = rows(reader, "revenue", f"{MARCH}&currency=JPY")

    assert [row["revenue"] for row in both] == [eur(100), {"amount": 7, "currency": "JPY"}]
    assert yen["revenue"]["amount"] == 7


def test_a_period_is_compared_with_the_one_before_or_a_year_ago(reader: Caller) -> None:
    placed(at=NOON)
    placed(at=NOON - DAY)
    placed(at=NOON.replace(year=2025))
    export()
    day = "from=2026-03-01&to=2026-03-01"

    before = reader.get(f"{URL}/funnel?{day}&compare=previous_period").json()
    year = reader.get(f"{URL}/funnel?{day}&compare=previous_year").json()

    assert before["data"][0]["placed"] == 1
    assert (before["comparison"]["from"], before["comparison"]["to"]) == ("2026-02-28", "2026-02-28")
    assert before["comparison"]["data"][0]["placed"] == 1
    assert year["comparison"]["from"] == "2025-03-01"
    assert year["comparison"]["data"][0]["placed"] == 1


def test_payments_declines_and_the_funnel(reader: Caller) -> None:
    for _sale in range(3):
        confirmed(placed())
    confirmed(placed(), method_type="boleto")
    declined(placed(), code="insufficient_funds")
    back = placed()
    refunded(back, confirmed(back), amount_minor=1250)
    export()

    boleto, card = rows(reader, "payments")
    assert (boleto["method_type"], boleto["paid"], boleto["success_rate"]) == ("boleto", eur(1250), 1.0)
    assert (card["payments"], card["captured"], card["declined"]) == (5, 4, 1)
    assert card["success_rate"] == 0.8
    assert rows(reader, "declines") == [
        {"decline_code": "insufficient_funds", "method_type": "card", "payments": 1}
    ]
    [funnel] = rows(reader, "funnel")
    assert funnel == {
        "placed": 6, "confirmed": 5, "refunded": 1, "cancelled": 1,
        "confirmed_rate": 0.8333, "refunded_rate": 0.2,
    }  # fmt: skip


def test_customers_products_cohorts_and_the_busiest_time(reader: Caller) -> None:
    confirmed(placed(customer="ann", at=NOON - 40 * DAY, skus=["tea"]))
    confirmed(placed(customer="ann", skus=["tea", "cup"], total_minor=1000), total_minor=1000)
    confirmed(placed(customer="ann", skus=["tea"], total_minor=700), total_minor=700)
    placed(customer="bob", at=NOON + DAY)
    export()

    assert rows(reader, "customers") == [
        {"customers": 2, "repeat_customers": 1, "orders": 3, "orders_of_repeat_customers": 2}
    ]
    assert rows(reader, "products") == [
        {"sku": "tea", "currency": "EUR", "orders": 2, "quantity": 2, "revenue": eur(1200)},
        {"sku": "cup", "currency": "EUR", "orders": 1, "quantity": 1, "revenue": eur(500)},
    ]
    assert [(row["cohort"], row["months_later"], row["orders"]) for row in rows(reader, "cohorts")] == [
        ("2026-01-01", 2, 2),
        ("2026-03-01", 0, 1),
    ]
    assert rows(reader, "busiest", f"{MARCH}&granularity=minute")[0] == {
        "period": "2026-03-01T12:00",
        "orders": 2,
    }


def test_a_sale_that_was_taken_back_gave_its_money_back(reader: Caller) -> None:
    kept, taken_back = placed(), placed()
    confirmed(kept)
    payment_id = confirmed(taken_back)
    paid_back = PaymentRefunded(payment_id, taken_back, 1250, "EUR", "sandbox-1", new_id(), "card")
    cancelled = OrderCancelled(taken_back, "shop", "EUR", 1250, "asked for", was_confirmed=True)
    told([Fact(payment_id, paid_back, "shop"), Fact(taken_back, cancelled, "shop")])
    export()

    [revenue] = rows(reader, "revenue", f"{MARCH}&granularity=month")
    assert (revenue["sales"], revenue["revenue"], revenue["refunded"]) == (2, eur(2500), eur(1250))


def test_customers_of_two_shops_are_two_people(reader: Caller) -> None:
    confirmed(placed(customer="1"))
    confirmed(placed(customer="1", client="another"), client="another")
    export()
    operator = Caller(client="shop", permissions=("reports.read", "reports.all"))

    [cohort] = rows(operator, "cohorts", f"{MARCH}&all_clients=true")
    assert (cohort["customers"], cohort["orders"]) == (2, 2)


def test_settling_and_refunds(reader: Caller) -> None:
    order = placed()
    refunded(order, confirmed(order, at=NOON + timedelta(seconds=2)), amount_minor=300, at=NOON + DAY)
    export()

    [settled] = rows(reader, "settling")
    assert (settled["p50_ms"], settled["max_ms"]) == (2000, 2000)
    assert rows(reader, "refunds") == [
        {"period": "2026-03-02", "kind": "refund", "currency": "EUR", "count": 1, "amount": eur(300)}
    ]


def test_only_who_may_see_all_sees_all(reader: Caller) -> None:
    placed(client="another")
    export()
    operator = Caller(client="shop", permissions=("reports.read", "reports.all"))

    assert rows(reader, "funnel")[0]["placed"] == 0
    assert_problem(reader.get(f"{URL}/funnel?{MARCH}&all_clients=true"), 403, "permission_denied")
    assert rows(operator, "funnel", f"{MARCH}&all_clients=true")[0]["placed"] == 1


def test_exports_are_the_same_rows(reader: Caller) -> None:
    confirmed(placed(skus=["=cmd()"]))
    export()

    text = reader.get(f"{URL}/products/export?{MARCH}")
    [header, line] = list(csv.reader(StringIO(text.getvalue().decode())))
    file = reader.get(f"{URL}/products/export?{MARCH}&format=parquet")
    [row] = pq.read_table(BytesIO(file.getvalue())).to_pylist()

    assert text.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="products.csv"' in text.headers["Content-Disposition"]
    assert (header[0], line[0], line[-1]) == ("sku", "'=cmd()", "1250")
    assert (row["sku"], row["revenue_minor"]) == ("=cmd()", 1250)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("revenue?from=yesterday", 400, "validation_failed"),
        ("revenue?from=2026-03-02&to=2026-03-01", 400, "validation_failed"),
        ("revenue?from=1990-01-01&to=2026-03-01", 400, "validation_failed"),
        ("revenue?from=0001-01-01&to=0001-01-02&compare=previous_year", 400, "validation_failed"),
        ("revenue?from=9999-12-30&to=9999-12-31", 400, "validation_failed"),
        ("revenue?time_zone=Mars/Olympus", 400, "validation_failed"),
        ("revenue?granularity=minute", 400, "validation_failed"),
        ("funnel?granularity=day", 400, "validation_failed"),
        ("revenue?currency=XXX", 400, "validation_failed"),
        ("revenue?compare=tomorrow", 400, "validation_failed"),
        ("revenue?all_clients=yes", 400, "validation_failed"),
        ("revenue?format=csv", 400, "validation_failed"),
        ("revenue?sql=1", 400, "invalid_query"),
        ("revenue/export?format=xlsx", 400, "validation_failed"),
        ("profits", 404, "report_not_found"),
        ("profits/export", 404, "report_not_found"),
    ],
)
def test_bad_questions_are_answered_with_what_to_do(
    reader: Caller, query: str, status: int, code: str
) -> None:
    assert_problem(reader.get(f"{URL}/{query}"), status, code)
