"""Orders and stock in SQL: one statement for all the orders of a batch (the hot path).

Products are locked in the order of their SKUs, always, and before anything is written to them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from resilience.sql import recordset, uuid_array


@dataclass(frozen=True)
class NewLine:
    """A line to be inserted with its order."""

    sku: str
    name: str
    quantity: int
    unit_price_minor: int

    @property
    def total_minor(self) -> int:
        """Price of the whole line."""
        return self.quantity * self.unit_price_minor


@dataclass(frozen=True)
class NewOrder:
    """An order to be inserted, pending."""

    id: UUID
    client: str
    customer_reference: str
    customer_email: str
    currency: str
    shipping_minor: int
    total_minor: int
    metadata: dict[str, object]
    placed_at: datetime
    lines: tuple[NewLine, ...]


@dataclass(frozen=True)
class Want:
    """Pieces of one product that an order needs."""

    order_id: UUID
    sku: str
    quantity: int


@dataclass(frozen=True)
class Moved:
    """An order whose status has changed, with what its event tells."""

    id: UUID
    client: str
    currency: str
    total_minor: int
    was_confirmed: bool = False


@dataclass(frozen=True)
class Refunded:
    """A sale of which another amount is refunded in all than before."""

    id: UUID
    client: str
    currency: str
    total_minor: int
    refunded_minor: int


_LOCK = "SELECT FROM orders_order WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"
_INSERT = """
WITH placed AS (
  INSERT INTO orders_order (id, client, status, customer_reference, customer_email, currency, shipping_minor,
                            total_minor, metadata, cancel_reason, placed_at)
  VALUES (%s, %s, 'pending', %s, %s, %s, %s, %s, %s, '', %s)
  RETURNING id, number
), lines AS (
  INSERT INTO orders_order_line (order_id, position, sku, name, quantity, unit_price_minor, total_minor)
  SELECT placed.id, l.position, l.sku, l.name, l.quantity, l.unit_price_minor, l.total_minor
  FROM placed, json_to_recordset(%s)
    AS l (position smallint, sku text, name text, quantity int, unit_price_minor bigint,
          total_minor bigint)
)
SELECT number FROM placed
"""

_WANTS = """
SELECT order_id, sku, sum(quantity) FROM orders_order_line
WHERE order_id = ANY(%s::uuid[]) GROUP BY order_id, sku
"""

_LOCK_AVAILABLE = """
SELECT sku, on_hand - reserved FROM orders_product WHERE sku = ANY(%s) ORDER BY sku FOR NO KEY UPDATE
"""

_RESERVE = """
WITH held AS (
  INSERT INTO orders_reservation (order_id, product_id, quantity, status)
  SELECT w.order_id, w.sku, w.quantity, 'held'
  FROM json_to_recordset(%s) AS w (order_id uuid, sku text, quantity int)
  RETURNING product_id, quantity
)
UPDATE orders_product p SET reserved = p.reserved + t.quantity
FROM (SELECT product_id, sum(quantity) AS quantity FROM held GROUP BY product_id) t
WHERE p.sku = t.product_id
"""

_LOCK_RESERVED = """
SELECT sku FROM orders_product
WHERE sku IN (SELECT product_id FROM orders_reservation WHERE order_id = ANY(%s::uuid[]) AND status = ANY(%s))
ORDER BY sku FOR NO KEY UPDATE
"""

_CONFIRM = """
WITH sold AS (
  UPDATE orders_reservation SET status = 'committed'
  WHERE order_id = ANY(%s::uuid[]) AND status = 'held' RETURNING product_id, quantity
), stock AS (
  UPDATE orders_product p SET on_hand = p.on_hand - t.quantity, reserved = p.reserved - t.quantity
  FROM (SELECT product_id, sum(quantity) AS quantity FROM sold GROUP BY product_id) t
  WHERE p.sku = t.product_id
)
UPDATE orders_order SET status = 'confirmed', settled_at = %s
WHERE id = ANY(%s::uuid[]) AND status IN ('pending', 'requires_action')
RETURNING id, client, currency, total_minor
"""

_RELEASE = """
WITH before AS (
  SELECT id, product_id, quantity, status FROM orders_reservation
  WHERE order_id = ANY(%s::uuid[]) AND status IN ('held', 'committed') FOR NO KEY UPDATE
), released AS (
  UPDATE orders_reservation r SET status = 'released' FROM before WHERE r.id = before.id
)
UPDATE orders_product p SET reserved = p.reserved - t.held, on_hand = p.on_hand + t.sold
FROM (SELECT product_id, COALESCE(sum(quantity) FILTER (WHERE status = 'held'), 0) AS held,
             COALESCE(sum(quantity) FILTER (WHERE status = 'committed'), 0) AS sold
      FROM before GROUP BY product_id) t
WHERE p.sku = t.product_id
"""

_CANCEL = """
WITH before AS (
  SELECT o.id, o.status, c.reason
  FROM orders_order o JOIN unnest(%s::uuid[], %s::text[]) AS c (id, reason) ON o.id = c.id
  WHERE o.status <> 'cancelled' FOR NO KEY UPDATE OF o
)
UPDATE orders_order o SET status = 'cancelled', settled_at = %s, cancel_reason = before.reason
FROM before WHERE o.id = before.id
RETURNING o.id, o.client, o.currency, o.total_minor,
          before.status IN ('confirmed', 'partially_refunded', 'refunded')
"""

# From what is refunded in all, so that it does not matter how often and in what order it is told.
_SHOW_REFUNDS = """
UPDATE orders_order o
SET status = r.status, refunded_minor = r.refunded_minor
FROM (SELECT o.id, r.refunded_minor, CASE WHEN r.refunded_minor = 0 THEN 'confirmed'
                        WHEN r.refunded_minor < o.total_minor THEN 'partially_refunded'
                        ELSE 'refunded' END AS status
      FROM orders_order o JOIN json_to_recordset(%s) AS r (order_id uuid, refunded_minor bigint)
        ON o.id = r.order_id
      WHERE o.status IN ('confirmed', 'partially_refunded', 'refunded')
      ORDER BY o.id FOR NO KEY UPDATE OF o) r
WHERE o.id = r.id AND (o.status, o.refunded_minor) IS DISTINCT FROM (r.status, r.refunded_minor)
RETURNING o.id, o.client, o.currency, o.total_minor, o.refunded_minor
"""

_REQUIRE_ACTION = """
UPDATE orders_order SET status = 'requires_action' WHERE id = ANY(%s::uuid[]) AND status = 'pending'
"""


def insert_order(order: NewOrder) -> int:
    """Insert an order with its lines and return its number."""
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                order.id,
                order.client,
                order.customer_reference,
                order.customer_email,
                order.currency,
                order.shipping_minor,
                order.total_minor,
                json.dumps(order.metadata),
                order.placed_at,
                recordset(
                    {**vars(line), "position": position, "total_minor": line.total_minor}
                    for position, line in enumerate(order.lines)
                ),
            ],
        )
        number: int = cursor.fetchone()[0]
        return number


def wants_of(order_ids: Sequence[UUID]) -> list[Want]:
    """Return what each order needs of each product."""
    with connection.cursor() as cursor:
        cursor.execute(_WANTS, [uuid_array(order_ids)])
        return [Want(order_id, sku, int(quantity)) for order_id, sku, quantity in cursor.fetchall()]


def lock_available(skus: set[str]) -> dict[str, int]:
    """Lock these products and return how many pieces of each nobody holds."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_AVAILABLE, [sorted(skus)])
        return dict(cursor.fetchall())


def reserve(wants: Sequence[Want]) -> None:
    """Hold stock for `wants`; the products must be locked."""
    if not wants:
        return
    with connection.cursor() as cursor:
        cursor.execute(_RESERVE, [recordset(vars(want) for want in wants)])


def confirm(order_ids: Sequence[UUID], *, now: datetime) -> list[Moved]:
    """Sell the stock that these orders hold and confirm them; return those that were not yet."""
    with connection.cursor() as cursor:
        ids = uuid_array(order_ids)
        cursor.execute(_LOCK_RESERVED, [ids, ["held"]])
        cursor.execute(_CONFIRM, [ids, now, ids])
        return [Moved(*row) for row in cursor.fetchall()]


def release(order_ids: Sequence[UUID]) -> None:
    """Give back the stock that these orders hold or have bought."""
    with connection.cursor() as cursor:
        ids = uuid_array(order_ids)
        cursor.execute(_LOCK_RESERVED, [ids, ["held", "committed"]])
        cursor.execute(_RELEASE, [ids])


def cancel(reasons: dict[UUID, str], *, now: datetime) -> list[Moved]:
    """Cancel these orders for these reasons; return those that were not cancelled yet."""
    with connection.cursor() as cursor:
        cursor.execute(_CANCEL, [list(reasons), list(reasons.values()), now])
        return [Moved(*row) for row in cursor.fetchall()]


def lock(order_ids: Sequence[UUID]) -> None:
    """Lock these orders until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [uuid_array(order_ids)])


def show_refunds(refunded_minor: Mapping[UUID, int]) -> list[Refunded]:
    """Say on sales how much of them is refunded in all; return those of which it is news.

    Of sums that were read before the orders were locked (`lock`) an older one could come last, and stay.
    """
    rows = [{"order_id": order_id, "refunded_minor": minor} for order_id, minor in refunded_minor.items()]
    with connection.cursor() as cursor:
        cursor.execute(_SHOW_REFUNDS, [recordset(rows)])
        return [Refunded(*row) for row in cursor.fetchall()]


def require_action(order_ids: Sequence[UUID]) -> None:
    """Say of pending orders that their payer has to act."""
    if order_ids:
        with connection.cursor() as cursor:
            cursor.execute(_REQUIRE_ACTION, [uuid_array(order_ids)])
