"""A past order as the request that places it: the same one, always."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.replay.requests import OrderRequest, order_request, stock_key, utc_text
from config.replay.source import read_orders
from tests.replay_kit import past_order, payment, written

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


@pytest.fixture
def request_of(tmp_path: Path):
    def build(**changes) -> OrderRequest:
        path = written(tmp_path / "orders", [past_order("a1", **changes)])
        (order,) = read_orders(path=path, limit=None)
        return order_request(order, zone=SAO_PAULO)

    return build


def test_everything_that_the_source_knows_is_said(request_of) -> None:
    request = request_of(
        payments=[payment(2, "voucher", 778), payment(1, "debit_card", 7100, installments=2)],
        paid_total=7878,
    )

    assert request.key == "replay-order-a1"
    assert request.body == {
        "customer": {"reference": "customer of a1"},
        "currency": "BRL",
        "lines": [{"sku": "CUP", "quantity": 2, "unit_price": 3500}],
        "payments": [
            {"method": "pm_card_visa_debit", "amount": 7100},
            {"method": "pm_voucher", "amount": 778},
        ],
        "shipping": 878,
        "metadata": {
            "source_order_id": "a1",
            "source_status": "delivered",
            "customer_state": "SP",
            "freight": 778,
            "installments": [2, 1],
            "payment_types": ["debit_card", "voucher"],
        },
        "placed_at": "2017-10-01T03:03:33Z",
    }


def test_what_cannot_be_placed_is_asked_for_all_the_same(request_of) -> None:
    body = request_of(lines=[], payments=[], paid_total=0, customer_id=None, placed_at=None).body

    assert (body["customer"], body["lines"], body["payments"]) == ({}, [], [])
    assert body["shipping"] == -7000
    assert "placed_at" not in body


def test_a_payment_type_that_nobody_knows_keeps_its_name(request_of) -> None:
    body = request_of(payments=[payment(1, "not_defined", 7778)]).body

    assert body["payments"] == [{"method": "not_defined", "amount": 7778}]


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2017-10-14T23:59:59", "2017-10-15T02:59:59Z"),
        ("2017-10-15T00:30:00", "2017-10-15T03:30:00Z"),  # skipped: summer time began at midnight
        ("2017-10-15T01:00:00", "2017-10-15T03:00:00Z"),
        ("2018-02-17T23:30:00", "2018-02-18T01:30:00Z"),  # came twice: summer time ended
        ("2017-11-24T10:00:00+01:00", "2017-11-24T09:00:00Z"),
        ("2017-11-24T10:00:00Z", "2017-11-24T10:00:00Z"),
    ],
)
def test_a_time_without_a_zone_is_local(local: str, utc: str) -> None:
    assert utc_text(datetime.fromisoformat(local), zone=SAO_PAULO) == utc


def test_stock_is_counted_in_once_for_a_file_and_a_product() -> None:
    keys = {stock_key(digest=digest * 64, sku=sku) for digest in "ab" for sku in ("CUP", "POT")}

    assert len(keys) == 4
    assert stock_key(digest="a" * 64, sku="CUP") == f"replay-stock-{'a' * 32}-CUP"
