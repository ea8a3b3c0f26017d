"""Stock: never oversold, each reservation ended once, nothing leaked (I1 to I3)."""

from resilience.audit import Check, Findings, Kind, Moment, found, register


def nothing_is_oversold(_moment: Moment) -> Findings:
    """I1: what is reserved is on hand, and an order holds exactly the pieces of its lines."""
    return found(_OVERSOLD)


def reservations_end(_moment: Moment) -> Findings:
    """I2: an order that ended holds nothing; sold, its lines are committed, cancelled, all is released."""
    return found(_RESERVATIONS)


def nothing_leaks(_moment: Moment) -> Findings:
    """I3: what a product says is reserved is the sum of what orders hold.

    What was restocked is kept nowhere, so that on hand + sold = bought in cannot be told.
    """
    return found(_LEAKS)


_OVERSOLD = """
SELECT concat('Of ', sku, ' ', reserved, ' are reserved and ', on_hand, ' on hand.') AS message,
       ARRAY[concat('product ', sku)] AS rows
FROM orders_product WHERE reserved > on_hand OR reserved < 0
UNION ALL
SELECT concat('Order ', r.order_id, ' reserved ', r.quantity, ' of ', r.product_id, ' for lines of ',
              coalesce(l.quantity, 0), '.'),
       ARRAY[concat('order ', r.order_id), concat('product ', r.product_id)]
FROM orders_reservation r
LEFT JOIN (SELECT order_id, sku, sum(quantity) AS quantity FROM orders_order_line GROUP BY 1, 2) l
  ON l.order_id = r.order_id AND l.sku = r.product_id
WHERE r.quantity <> coalesce(l.quantity, 0)
"""

_RESERVATIONS = """
SELECT concat('Order ', o.id, ' is ', o.status, ', and its ', l.sku, ' is ',
              coalesce(r.status, 'not reserved'), '.') AS message,
       ARRAY[concat('order ', o.id), concat('product ', l.sku)] AS rows
FROM orders_order o
JOIN (SELECT DISTINCT order_id, sku FROM orders_order_line) l ON l.order_id = o.id
LEFT JOIN orders_reservation r ON r.order_id = o.id AND r.product_id = l.sku
WHERE (o.status = 'cancelled' AND r.status IN ('held', 'committed'))
   OR (o.status IN ('confirmed', 'partially_refunded', 'refunded') AND r.status IS DISTINCT FROM 'committed'
       AND NOT EXISTS (SELECT 1 FROM resilience_saga s
                       WHERE s.business_key = o.id AND s.ended_at IS NULL AND s.definition = 'cancel_order'))
"""

_LEAKS = """
SELECT concat('Of ', p.sku, ' ', p.reserved, ' are reserved, and orders hold ', coalesce(h.quantity, 0), '.')
         AS message,
       ARRAY[concat('product ', p.sku)] AS rows
FROM orders_product p
LEFT JOIN (SELECT product_id, sum(quantity) AS quantity FROM orders_reservation WHERE status = 'held'
           GROUP BY 1) h ON h.product_id = p.sku
WHERE p.reserved <> coalesce(h.quantity, 0)
"""

register(
    Check("I1", "Nothing is oversold", Kind.SAFETY, nothing_is_oversold),
    Check("I2", "Each reservation ends once", Kind.QUIESCENCE, reservations_end),
    Check("I3", "No stock leaks", Kind.SAFETY, nothing_leaks),
)
