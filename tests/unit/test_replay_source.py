"""The file of past orders: read as a stream, plain or packed, and refused before anything is sent."""

import gzip
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings

from config.replay.errors import SourceError
from config.replay.requests import METHODS, order_request
from config.replay.source import SourceProduct, read_orders, survey
from tests.replay_kit import past_order, written

QUARTER = settings.BASE_DIR.parent / "shared" / "data" / "olist_2017q4.jsonl.gz"


def test_packing_does_not_make_it_another_file(tmp_path: Path) -> None:
    plain = written(tmp_path / "orders.jsonl", [past_order("a"), past_order("b")])
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert survey(path=packed, limit=None) == survey(path=plain, limit=None)
    assert [order.order_id for order in read_orders(path=packed, limit=None)] == ["a", "b"]


def test_another_order_makes_it_another_file(tmp_path: Path) -> None:
    one = written(tmp_path / "one", [past_order("a")])
    other = written(tmp_path / "other", [past_order("b")])

    assert survey(path=one, limit=None).digest != survey(path=other, limit=None).digest


def test_products_are_those_of_the_orders_sent_with_the_units_of_the_whole_file(tmp_path: Path) -> None:
    pot = [{"sku": "POT", "quantity": 1, "unit_price": 9900}]
    cups = [{"sku": "CUP", "quantity": 5, "unit_price": 3200}]
    path = written(tmp_path / "f", [past_order("a"), past_order("b", lines=pot), past_order("c", lines=cups)])

    found = survey(path=path, limit=1)

    assert found.orders == 1
    assert found.products == (SourceProduct("CUP", units=7, price_minor=3500, currency="BRL"),)
    assert [order.order_id for order in read_orders(path=path, limit=1)] == ["a"]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '"text"', "{}", '{"order_id": "x"}', b"\xff".decode("latin-1")],
)
def test_a_line_that_is_no_order_is_named(tmp_path: Path, line: str) -> None:
    path = written(tmp_path / "f", [past_order("a")])
    path.write_text(f"{path.read_text()}\n{line}\n", encoding="latin-1")

    with pytest.raises(SourceError, match=r"^Line 3 is not an order"):
        survey(path=path, limit=1)


def test_a_time_that_is_none_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "f", [past_order("a", placed_at="yesterday")])

    with pytest.raises(SourceError, match=r"Line 1 .*yesterday"):
        survey(path=path, limit=None)


def test_a_file_that_is_cut_off_or_missing_is_an_error(tmp_path: Path) -> None:
    packed = gzip.compress(written(tmp_path / "f", [past_order(str(n)) for n in range(99)]).read_bytes())
    (tmp_path / "cut").write_bytes(packed[: len(packed) // 2])

    for name in ("cut", "missing"):
        with pytest.raises(SourceError, match="cannot be read"):
            survey(path=tmp_path / name, limit=None)


@pytest.mark.skipif(not QUARTER.exists(), reason="The quarter's orders are not beside this repository.")
def test_the_real_quarter_becomes_requests_that_add_up_to_its_published_figures() -> None:
    orders = list(read_orders(path=QUARTER, limit=None))
    bodies = [order_request(order, zone=ZoneInfo("America/Sao_Paulo")).body for order in orders]

    found = survey(path=QUARTER, limit=None)
    assert (found.orders, len(orders), len(found.products)) == (17_848, 17_848, 8_617)
    assert sum(product.units for product in found.products) == 20_295
    assert sum(payment["amount"] for body in bodies for payment in body["payments"]) == 285_296_216
    assert sum(_items_minor(body) for body in bodies) == sum(order.items_minor for order in orders)
    delivered = [body for body in bodies if body["metadata"]["source_status"] == "delivered"]
    assert (len(delivered), sum(map(_items_minor, delivered))) == (17_280, 236_204_621)
    assert [body for body in bodies if _items_minor(body) + body["shipping"] != _paid_minor(body)] == []
    assert min(body["shipping"] for body in bodies) >= 0
    assert sum(not body["lines"] for body in bodies) == 205
    assert sum(len(body["payments"]) > 1 for body in bodies) == 551
    amounts: Counter[str] = Counter()
    for order in orders:
        for payment in order.payments:
            amounts[payment.type] += payment.amount_minor
    assert amounts == {
        "credit_card": 224_004_415,
        "boleto": 53_250_984,
        "voucher": 6_133_816,
        "debit_card": 1_907_001,
    }
    assert set(amounts) == set(METHODS)


def _items_minor(body) -> int:
    return sum(line["quantity"] * line["unit_price"] for line in body["lines"])


def _paid_minor(body) -> int:
    return sum(payment["amount"] for payment in body["payments"])
