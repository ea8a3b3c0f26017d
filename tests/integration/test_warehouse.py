"""The warehouse: the star is right to the minor unit, `manage.py query` says it, SQL reaches nothing else."""

import csv
import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test.utils import CaptureQueriesContext

from analytics.lake.exporting import export_once
from analytics.lake.storage import storage
from analytics.warehouse import QueryFailedError, ask, open_warehouse
from tests.lake_kit import NOON, confirmed, declined, placed, refunded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _lake(settings: Any, tmp_path: Path) -> None:
    settings.LAKE_URL = str(tmp_path / "lake")


def export() -> None:
    while export_once(storage()).rows:
        pass


def rows(sql: str) -> list[dict[str, Any]]:
    export()
    with open_warehouse() as warehouse:
        answer = ask(warehouse, sql)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def asked(sql: str, **options: Any) -> str:
    out = StringIO()
    call_command("query", sql, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def test_an_empty_lake_is_an_empty_star() -> None:
    for view in ("orders", "lines", "payments", "refunds", "customers", "days", "events"):
        assert rows(f"SELECT * FROM {view}") == []


def test_orders_are_as_their_newest_event_says() -> None:
    waiting = placed()
    sold = placed(total_minor=1999)
    confirmed(sold, total_minor=1999)
    partly, back = placed(), placed()
    refunded(partly, confirmed(partly), amount_minor=250)
    refunded(back, confirmed(back), amount_minor=1250)
    refused = placed()
    declined(refused, code="card_declined")

    found = {row["order_id"]: row for row in rows("SELECT * FROM orders")}

    assert {id: row["status"] for id, row in found.items()} == {
        str(waiting): "pending",
        str(sold): "confirmed",
        str(partly): "partially_refunded",
        str(back): "refunded",
        str(refused): "cancelled",
    }
    assert (found[str(sold)]["total_minor"], found[str(sold)]["total_amount"]) == (1999, Decimal("19.990"))
    assert found[str(partly)]["refunded_minor"] == 250
    assert found[str(refused)]["cancel_reason"] == "card_declined"
    assert found[str(waiting)]["placed_at"] == NOON


@pytest.mark.parametrize(("currency", "amount"), [("EUR", "12.34"), ("JPY", "1234"), ("KWD", "1.234")])
def test_an_amount_has_the_decimals_of_its_currency(currency: str, amount: str) -> None:
    placed(total_minor=1234, currency=currency)

    [row] = rows("SELECT total_amount FROM orders")

    assert row["total_amount"] == Decimal(amount)


def test_lines_payments_refunds_customers_and_days() -> None:
    order = placed(skus=["tea", "cup"], total_minor=1000, at=NOON - timedelta(days=2), customer="ann")
    payment = confirmed(order, total_minor=1000, method_type="boleto")
    refunded(order, payment, amount_minor=300, total_minor=1000)
    declined(placed(customer="ann"), code="expired_card")

    lines = rows(f"SELECT sku, total_minor FROM lines WHERE order_id = '{order}' ORDER BY sku")
    assert [tuple(row.values()) for row in lines] == [("cup", 500), ("tea", 500)]
    methods = rows("SELECT method_type, status, decline_code FROM payments ORDER BY status")
    assert [tuple(row.values()) for row in methods] == [
        ("boleto", "captured", ""),
        ("card", "declined", "expired_card"),
    ]
    [given_back] = rows("SELECT amount, failed_at FROM refunds")
    assert given_back == {"amount": Decimal("3.00"), "failed_at": None}
    [ann] = rows("SELECT customer_reference, orders, confirmed_orders FROM customers")
    assert ann == {"customer_reference": "ann", "orders": 2, "confirmed_orders": 1}
    assert len(rows("SELECT * FROM days")) == 3


def test_the_command_answers_in_json_csv_and_a_table() -> None:
    placed(total_minor=1999, customer="=1+1")
    export()
    sql = "SELECT customer_reference, total_amount, total_minor, placed_at, NULL AS nothing FROM orders"

    text = asked(sql, format="json")
    [row] = json.loads(text, parse_float=Decimal)
    [header, line] = list(csv.reader(StringIO(asked(sql, format="csv"))))
    table = asked(sql)

    assert row == {
        "customer_reference": "=1+1",
        "total_amount": Decimal("19.990"),
        "total_minor": 1999,
        "placed_at": "2026-03-01T12:00:00Z",
        "nothing": None,
    }
    assert header[0] == "customer_reference"
    assert line == ["'=1+1", "19.990", "1999", "2026-03-01T12:00:00Z", ""]
    assert "19.990" in table


def test_no_rows_is_an_empty_array() -> None:
    assert json.loads(asked("SELECT order_id FROM orders", format="json")) == []


def test_more_rows_than_wanted_are_cut_and_said() -> None:
    for _order in range(3):
        placed()
    export()

    assert len(json.loads(asked("SELECT order_id FROM orders", format="json", limit=2))) == 2
    assert "first 2 rows" in asked("SELECT order_id FROM orders", limit=2)
    with pytest.raises(CommandError, match="one row"):
        asked("SELECT 1", limit=0)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM nowhere",
        "SELEKT 1",
        "",
        "SELECT 1; SELECT 2",
        "CREATE TABLE mine AS SELECT 1",
        "DROP VIEW orders",
        "INSERT INTO currencies VALUES ('XXX', 1)",
        "COPY (SELECT 1) TO '/tmp/holdfast-must-not-be'",
        "ATTACH '/tmp/holdfast-must-not-be.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_parquet('https://example.com/a.parquet')",
    ],
)
def test_what_is_wrong_or_reaches_outside_is_refused(sql: str) -> None:
    with pytest.raises(CommandError):
        asked(sql)
    assert not list(Path("/tmp").glob("holdfast-must-not-be*"))


def test_what_takes_too_long_is_ended() -> None:
    with open_warehouse() as warehouse, pytest.raises(QueryFailedError, match="longer than"):
        ask(warehouse, "SELECT count(*) FROM range(10000000) a, range(10000000) b", time_max_s=0.3)


def test_a_variable_of_the_process_is_no_table() -> None:
    secret = [1]  # noqa: F841 - DuckDB would find it by its name
    with open_warehouse() as warehouse, pytest.raises(QueryFailedError):
        ask(warehouse, "SELECT * FROM secret")


def test_no_database_is_asked() -> None:
    placed()
    export()
    with CaptureQueriesContext(connections["default"]) as asked_of_primary:
        asked("SELECT * FROM orders")

    assert len(asked_of_primary) == 0
