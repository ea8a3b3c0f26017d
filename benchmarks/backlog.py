"""A backlog of placed orders, and the proof that it was settled right."""

import time
from dataclasses import dataclass
from uuid import UUID

import psycopg
from django.db import connection, transaction

from benchmarks.stage import Book
from orders.services.place_order import LineDraft, OrderDraft, PaymentDraft, place_order
from orders.services.put_product import put_product
from resilience.clock import now

CLIENT = "benchmark"
PRICE_MINOR = 1299
CURRENCY = "EUR"
# As many as a small shop sells often: few enough that orders meet at the same rows of stock.
PRODUCTS = 100
# Numbers of SKUs begin here, so that all have the same length.
SKU_MIN = 1000
_SKUS = "bench-%"
_STOCK = 1_000_000_000
# Orders that share a commit while the backlog is written, before the clock starts.
_PLACED_TOGETHER = 50
_POLL_S = 0.05


class WrongWorkError(Exception):
    """A contender did not do the work: its speed is worth nothing."""


@dataclass(frozen=True)
class Backlog:
    """Orders that wait to be settled. Ids rise with time: everything from `first` on belongs to it."""

    ids: tuple[UUID, ...]

    @property
    def first(self) -> UUID:
        return self.ids[0]


def sku(number: int) -> str:
    """Return the SKU of the order with this number: products take turns."""
    return f"bench-{SKU_MIN + number % PRODUCTS}"


def stock_up() -> None:
    """Put the products of the benchmark into the catalogue, with more stock than can be sold."""
    for number in range(PRODUCTS):
        put_product(
            sku=sku(number), name=f"Product {number}", price_minor=PRICE_MINOR, currency=CURRENCY, now=now()
        )
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders_product SET on_hand = %s WHERE sku LIKE %s", [_STOCK, _SKUS])


def place(count: int) -> Backlog:
    """Place `count` orders of one line and one payment each, as the API would."""
    ids: list[UUID] = []
    while len(ids) < count:
        with transaction.atomic():
            for position in range(len(ids), min(count, len(ids) + _PLACED_TOGETHER)):
                placed = place_order(client=CLIENT, draft=_draft(sku(position)), now=now())
                ids.append(placed.order.id)
    return Backlog(tuple(ids))


def without_sagas(backlog: Backlog) -> Backlog:
    """Take away the saga rows of a backlog that somebody else than our engine will settle."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM resilience_saga WHERE business_key >= %s", [backlog.first])
    return backlog


def wait_until_settled(backlog: Backlog, *, observer: psycopg.Connection[tuple[int]], limit_s: float) -> None:
    """Return when no order is left. Raises WrongWorkError after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while left := _left(backlog, observer):
        if time.monotonic() > deadline:
            raise WrongWorkError(f"{left} of {len(backlog.ids)} orders were not settled in {limit_s:.0f} s")
        time.sleep(_POLL_S)


def check(backlog: Backlog, book: Book) -> None:
    """Raise WrongWorkError unless each order is confirmed and was charged exactly once."""
    check_rows(backlog)
    count = len(backlog.ids)
    if (book.authorized, book.captured) != (count, count):
        raise WrongWorkError(
            f"for {count} orders the gateway authorized {book.authorized} and captured {book.captured}"
        )


def check_rows(backlog: Backlog) -> None:
    """Raise WrongWorkError unless each order is confirmed, paid, and has its stock."""
    count = len(backlog.ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM orders_order WHERE id = ANY(%s) AND status = 'confirmed'",
            [list(backlog.ids)],
        )
        confirmed = cursor.fetchone()[0]
        cursor.execute(
            "SELECT count(*) FROM payments_payment WHERE order_id = ANY(%s) AND status = 'captured'"
            " AND captured_minor = amount_minor",
            [list(backlog.ids)],
        )
        paid = cursor.fetchone()[0]
        cursor.execute("SELECT sum(reserved) FROM orders_product WHERE sku LIKE %s", [_SKUS])
        reserved = cursor.fetchone()[0]
    if (confirmed, paid, reserved) != (count, count, 0):
        raise WrongWorkError(
            f"of {count} orders {confirmed} are confirmed, {paid} paid; {reserved} pieces are still reserved"
        )


def _left(backlog: Backlog, observer: psycopg.Connection[tuple[int]]) -> int:
    row = observer.execute(
        "SELECT count(*) FROM orders_order WHERE id >= %s AND settled_at IS NULL", [backlog.first]
    ).fetchone()
    assert row is not None
    return row[0]


def _draft(product: str) -> OrderDraft:
    return OrderDraft(
        customer_reference="benchmark",
        customer_email="",
        currency=CURRENCY,
        lines=(LineDraft(product, 1),),
        payments=(PaymentDraft("pm_card_visa"),),
        shipping_minor=0,
        metadata={},
    )
