"""Promises over orders and payments at once (C3, C4, C5, C7, B3), and what counts as being under way.

Only config may know both contexts' rows; it reads them, in one statement per check.
"""

from django.db import connection

from payments.audit.book import CHARGES, GatewayBook
from payments.audit.witness import whole_book
from resilience.audit import Check, Findings, Kind, Moment, found, register, register_activity

# How long after an order's end its holds may stand: what came late is seen and let go meanwhile.
HOLD_LASTS_MAX_S = 60


def charges_have_orders(moment: Moment) -> Findings:
    """C3: what a gateway took or holds is for a payment of ours, by its id there or by ours, and for its
    order.
    """
    return found(_STRANGERS, _book(moment))


def sold_is_captured(moment: Moment) -> Findings:
    """C4: a sold order has one capture per payment in the gateways' books, of exactly its amount; and
    what is captured there whole is sold, or was cancelled (C5). An order before an operator is left out.
    """
    return found(_SOLD, _book(moment))


def cancelled_nets_to_zero(moment: Moment) -> Findings:
    """C5: of a cancelled order the gateways hold neither money nor, past 60 s, an authorization.

    Left out is what an operator has on the table: a parked saga, a refund that the payer's bank sent
    back (a reconciliation exception says so). Money that a dispute took is not held.
    """
    return found(_CANCELLED, {**_book(moment), "now": moment.now, "lasts_s": HOLD_LASTS_MAX_S})


def price_is_the_snapshot(_moment: Moment) -> Findings:
    """C7: lines and shipping are the total, payments add up to it, and all is as order.placed told."""
    return found(_PRICE)


def ended_orders_hold_no_money(_moment: Moment) -> Findings:
    """B3: no payment of an order that ended is still authorized."""
    return found(_AUTHORIZED)


def active_sagas() -> int:
    """Return how many sagas are under way; a parked one waits for a person, and counts as rest."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM resilience_saga WHERE status IN ('running', 'compensating')")
        return int(cursor.fetchone()[0])


def _book(moment: Moment) -> dict[str, object]:
    book: GatewayBook = whole_book(moment)
    return {"charges": book.charges_text}


_PARKED = """EXISTS (SELECT 1 FROM resilience_saga s WHERE s.status = 'parked' AND s.business_key IN (
      SELECT o.id UNION SELECT r.id FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
      WHERE p.order_id = o.id))"""

_STRANGERS = f"""
WITH {CHARGES}
SELECT concat(c.account, ' holds ', c.reference, ' (', c.captured_minor, ' ', c.currency,
              ' captured) for no order of ours.') AS message,
       ARRAY[concat(c.account, ' ', c.reference), concat('order ', c.order_id)] AS rows
FROM charges c
LEFT JOIN payments_payment named ON named.gateway = c.account AND named.reference = c.reference
LEFT JOIN payments_payment meant ON meant.id::text = c.payment_id
  AND (c.order_id = '' OR meant.order_id::text = c.order_id)
LEFT JOIN orders_order o ON o.id = coalesce(named.order_id, meant.order_id)
WHERE (c.captured_minor > 0 OR c.is_open) AND o.id IS NULL
"""  # noqa: S608

_SOLD = f"""
WITH {CHARGES}, taken AS (
  SELECT p.order_id, count(*) AS captures, sum(c.captured_minor) AS minor,
         bool_and(c.currency = p.currency) AS is_same_currency, count(DISTINCT p.id) AS payments
  FROM charges c JOIN payments_payment p ON p.gateway = c.account AND p.reference = c.reference
  WHERE c.captured_minor > 0 GROUP BY 1
), due AS (SELECT order_id, count(*) AS payments FROM payments_payment GROUP BY 1)
SELECT concat('Order ', o.id, ' over ', o.total_minor, ' ', o.currency, ' is ', o.status, ', and ',
              coalesce(t.minor, 0), ' was captured in ', coalesce(t.captures, 0), ' charges for ',
              due.payments, ' payments.') AS message,
       ARRAY[concat('order ', o.id)] AS rows
FROM orders_order o LEFT JOIN taken t ON t.order_id = o.id LEFT JOIN due ON due.order_id = o.id
WHERE NOT {_PARKED} AND CASE
  WHEN o.status IN ('confirmed', 'partially_refunded', 'refunded')
    THEN t.minor IS DISTINCT FROM o.total_minor OR t.captures <> due.payments
         OR t.payments <> due.payments OR NOT t.is_same_currency
  WHEN o.status = 'cancelled' THEN false
  ELSE t.minor >= o.total_minor END
"""  # noqa: S608

_CANCELLED = f"""
WITH {CHARGES}, ours AS (
  -- Two joins, each by a hash or an index; one with OR compares every charge with every payment.
  SELECT p.order_id, c.captured_minor, c.refunded_minor, c.is_open
  FROM charges c JOIN payments_payment p ON p.id::text = c.payment_id
  UNION ALL
  SELECT p.order_id, c.captured_minor, c.refunded_minor, c.is_open FROM charges c
  JOIN payments_payment p ON p.gateway = c.account AND p.reference = c.reference WHERE c.payment_id = ''
), seen AS (
  SELECT order_id, sum(captured_minor - refunded_minor) AS kept, count(*) FILTER (WHERE is_open) AS holds
  FROM ours GROUP BY 1
), disputed AS (
  SELECT p.order_id, sum(d.amount_minor) AS minor
  FROM payments_dispute d JOIN payments_payment p ON p.id = d.payment_id
  WHERE d.status <> 'won' GROUP BY 1
)
SELECT concat('Order ', o.id, ' is cancelled, and the gateway holds ', s.kept, ' and ', s.holds,
              ' authorizations.') AS message,
       ARRAY[concat('order ', o.id)] AS rows
FROM orders_order o JOIN seen s ON s.order_id = o.id LEFT JOIN disputed d ON d.order_id = o.id
WHERE o.status = 'cancelled'
  AND (s.kept > coalesce(d.minor, 0)
       OR (s.holds > 0 AND o.settled_at < %(now)s - make_interval(secs => %(lasts_s)s)))
  AND NOT {_PARKED}
  AND NOT EXISTS (SELECT 1 FROM payments_reconciliation_exception e
                  WHERE e.order_id = o.id AND e.kind = 'refund_failed')
"""  # noqa: S608

_PRICE = """
WITH lines AS (SELECT order_id, sum(total_minor) AS minor, count(*) AS lines,
                      bool_and(total_minor = quantity * unit_price_minor) AS is_right,
                      string_agg(concat_ws(' ', sku, quantity, unit_price_minor), ', '
                                 ORDER BY sku, quantity, unit_price_minor) AS text
               FROM orders_order_line GROUP BY 1),
paid AS (SELECT order_id, sum(amount_minor) AS minor, min(currency) AS currency, max(currency) AS other
         FROM payments_payment GROUP BY 1),
told AS (SELECT aggregateid AS order_id, (payload->>'total_minor')::bigint AS minor,
                payload->>'currency' AS currency,
                (SELECT string_agg(concat_ws(' ', l->>'sku', l->>'quantity', l->>'unit_price_minor'), ', '
                                   ORDER BY l->>'sku', (l->>'quantity')::int,
                                            (l->>'unit_price_minor')::bigint)
                 FROM jsonb_array_elements(payload->'lines') l) AS text
         FROM resilience_event WHERE type = 'order.placed')
SELECT concat('Order ', o.id, ' is ', o.total_minor, ' ', o.currency, ': lines ', l.minor, ', shipping ',
              o.shipping_minor, ', payments ', p.minor, ' ', p.currency, ', told as ', t.minor, ' ',
              t.currency,
              CASE WHEN l.text <> t.text THEN ' with other lines' END, '.') AS message,
       ARRAY[concat('order ', o.id)] AS rows
FROM orders_order o
LEFT JOIN lines l ON l.order_id = o.id LEFT JOIN paid p ON p.order_id = o.id
LEFT JOIN told t ON t.order_id = o.id
WHERE l.minor + o.shipping_minor IS DISTINCT FROM o.total_minor OR NOT l.is_right
   OR p.minor IS DISTINCT FROM o.total_minor OR p.currency <> o.currency OR p.other <> o.currency
   OR t.minor <> o.total_minor OR t.currency <> o.currency OR t.text <> l.text
"""

_AUTHORIZED = """
SELECT concat('Payment ', p.id, ' is authorized, and its order is ', o.status, '.') AS message,
       ARRAY[concat('payment ', p.id), concat('order ', o.id)] AS rows
FROM payments_payment p JOIN orders_order o ON o.id = p.order_id
WHERE p.status = 'authorized' AND o.status NOT IN ('pending', 'requires_action')
"""

register_activity("sagas", active_sagas)
register(
    Check("C3", "No charge without an order", Kind.QUIESCENCE, charges_have_orders),
    Check("C4", "Sold means captured, exactly", Kind.QUIESCENCE, sold_is_captured),
    Check("C5", "Cancelled nets to zero", Kind.QUIESCENCE, cancelled_nets_to_zero),
    Check("C7", "The price is the one at acceptance", Kind.SAFETY, price_is_the_snapshot),
    Check("B3", "No hold outlives its order", Kind.QUIESCENCE, ended_orders_hold_no_money),
)
