"""The file of past orders: one JSON object a line, plain or gzip, read as a stream."""

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from config.replay.errors import SourceError

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class SourceLine:
    """One product of a past order. Amounts are minor units of the order's currency."""

    sku: str
    quantity: int
    unit_price_minor: int


@dataclass(frozen=True)
class SourcePayment:
    """One tender of a past order."""

    seq: int
    type: str
    installments: int | None
    amount_minor: int


@dataclass(frozen=True)
class SourceOrder:
    """A past order as the file tells it; what the file may leave out is None.

    `placed_at` may be without a zone: the source's local time.
    """

    order_id: str
    placed_at: datetime | None
    customer_id: str | None
    customer_state: str | None
    currency: str
    lines: tuple[SourceLine, ...]
    payments: tuple[SourcePayment, ...]
    items_minor: int
    freight_minor: int
    paid_minor: int
    status: str


@dataclass(frozen=True)
class SourceProduct:
    """A product that the orders need: the units of the whole file, at the first price seen."""

    sku: str
    units: int
    price_minor: int
    currency: str


@dataclass(frozen=True)
class Survey:
    """What a first pass over the file finds. `products` are those of the orders that will be sent."""

    digest: str
    orders: int
    products: tuple[SourceProduct, ...]


def survey(*, path: Path, limit: int | None) -> Survey:
    """Read the whole file once; only the first `limit` orders count as orders to send.

    Stock is what the whole file needs, whatever the limit, so that a longer replay later asks for the
    same stock under the same key. The digest is of the unpacked text: packing does not make it another
    file. Raises SourceError.
    """
    digest = hashlib.sha256()
    units: Counter[str] = Counter()
    wanted: dict[str, tuple[int, str]] = {}
    orders = 0
    for number, raw in _raw_lines(path):
        digest.update(raw)
        order = _parse(raw, number)
        is_sent = limit is None or orders < limit
        orders += is_sent
        for line in order.lines:
            units[line.sku] += line.quantity
            if is_sent:
                wanted.setdefault(line.sku, (line.unit_price_minor, order.currency))
    products = tuple(SourceProduct(sku, units[sku], *offer) for sku, offer in wanted.items())
    return Survey(digest.hexdigest(), orders, products)


def read_orders(*, path: Path, limit: int | None) -> Iterator[SourceOrder]:
    """Yield the first `limit` orders in the file's order; raises SourceError."""
    return islice((_parse(raw, number) for number, raw in _raw_lines(path)), limit)


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers."""
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    yield number, raw
    except (OSError, EOFError) as error:
        raise SourceError(f"{path} cannot be read: {error}.") from error


def _open(path: Path) -> IO[bytes]:
    """Open the file; what it begins with decides, since a name may say anything."""
    with path.open("rb") as file:
        is_packed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    return cast("IO[bytes]", gzip.open(path) if is_packed else path.open("rb"))


def _parse(raw: bytes, number: int) -> SourceOrder:
    try:
        return _order_of(json.loads(raw))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"Line {number} is not an order as docs/replay.md describes it: {error!r}."
        ) from error


def _order_of(record: dict[str, Any]) -> SourceOrder:
    placed_at = record.get("placed_at")
    return SourceOrder(
        order_id=record["order_id"],
        placed_at=None if placed_at is None else datetime.fromisoformat(placed_at),
        customer_id=record.get("customer_id"),
        customer_state=record.get("customer_state"),
        currency=record["currency"],
        lines=tuple(
            SourceLine(line["sku"], line["quantity"], line["unit_price"]) for line in record["lines"]
        ),
        payments=tuple(
            SourcePayment(payment["seq"], payment["type"], payment.get("installments"), payment["amount"])
            for payment in record["payments"]
        ),
        items_minor=record["items_total"],
        freight_minor=record["freight_total"],
        paid_minor=record["paid_total"],
        status=record["status"],
    )
