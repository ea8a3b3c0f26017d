"""Orders that happened as far as the log is concerned, for the lake and what is asked of it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from analytics.lake.keeping import verify
from analytics.lake.manifest import read_manifest
from analytics.lake.storage import Storage
from orders.events import Line, OrderCancelled, OrderConfirmed, OrderPlaced, OrderRefunded
from payments.events import PaymentCaptured, PaymentDeclined, PaymentRefunded
from resilience.events import Fact, append
from resilience.ids import new_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def told(facts: Sequence[Fact], *, at: datetime = NOON) -> None:
    with transaction.atomic():
        append(facts, occurred_at=at)


def placed(
    *,
    at: datetime = NOON,
    total_minor: int = 1250,
    currency: str = "EUR",
    client: str = "shop",
    customer: str = "customer-1",
    skus: Sequence[str] = ("tea",),
) -> UUID:
    """Tell of an order with a piece of each SKU; return its id."""
    order_id = new_id()
    lines = tuple(Line(sku, 1, total_minor // len(skus), total_minor // len(skus)) for sku in skus)
    body = OrderPlaced(order_id, client, customer, currency, 0, total_minor, lines, at)
    told([Fact(order_id, body, client)], at=at)
    return order_id


def confirmed(
    order_id: UUID,
    *,
    total_minor: int = 1250,
    currency: str = "EUR",
    client: str = "shop",
    at: datetime = NOON,
    method_type: str = "card",
) -> UUID:
    """Tell that an order was paid and confirmed; return the payment's id."""
    payment_id = new_id()
    paid = PaymentCaptured(payment_id, order_id, total_minor, currency, "sandbox-1", "pi_1", method_type)
    told(
        [
            Fact(payment_id, paid, client),
            Fact(order_id, OrderConfirmed(order_id, client, currency, total_minor), client),
        ],
        at=at,
    )
    return payment_id


def declined(
    order_id: UUID, *, code: str = "card_declined", client: str = "shop", at: datetime = NOON
) -> None:
    """Tell that an order's payment was declined and the order cancelled."""
    payment_id = new_id()
    told(
        [
            Fact(payment_id, PaymentDeclined(payment_id, order_id, 1250, "EUR", code, "card"), client),
            Fact(order_id, OrderCancelled(order_id, client, "EUR", 1250, code, was_confirmed=False), client),
        ],
        at=at,
    )


def refunded(
    order_id: UUID, payment_id: UUID, *, amount_minor: int, total_minor: int = 1250, client: str = "shop",
    at: datetime = NOON,
) -> None:  # fmt: skip
    """Tell that so much of an order was given back, once."""
    paid_back = PaymentRefunded(payment_id, order_id, amount_minor, "EUR", "sandbox-1", new_id(), "card")
    order = OrderRefunded(order_id, client, "EUR", total_minor, amount_minor)
    told([Fact(payment_id, paid_back, client), Fact(order_id, order, client)], at=at)


def log_size() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM resilience_event")
        count: Any = cursor.fetchone()[0]
    return int(count)


def ids_in(lake: Storage) -> list[str]:
    files = read_manifest(lake).files
    return [str(row["id"]) for file in files for row in lake.read_table(file.path).to_pylist()]


def assert_whole(lake: Storage) -> None:
    found = verify(lake)
    ids = ids_in(lake)
    assert found.faults == ()
    assert len(ids) == len(set(ids)) == found.events == log_size()


@contextmanager
def exporter(lake: Storage, *points: str) -> Iterator["subprocess.Popen[bytes]"]:
    """An exporter process, with small batches so that there are many commits to be killed between."""
    own = {"HOLDFAST_LAKE_URL": lake.root, "HOLDFAST_LAKE_BATCH_S": "0.05", "HOLDFAST_LAKE_BATCH_ROWS": "100"}
    command = [sys.executable, "-m", "tests.lake_exporter", *points]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **own}
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"exporting\n"
        yield process
    finally:
        process.kill()
        process.communicate()
