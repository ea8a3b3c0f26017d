"""An order's life: accepted once, never lost, ended in time, along its edges (O1 to O5)."""

from orders.steps.stop_placement import PLACE_ORDER
from resilience.audit import Check, Findings, Kind, Moment, found, register
from resilience.events import told_since

# An order settles within seconds; during a fault it is tried again up to 30 s apart. Past this age one
# that has neither progressed nor a time for its next try is stuck.
ORDER_LASTS_MAX_S = 120


def accepted_orders_are_there(_moment: Moment) -> Findings:
    """O1: each stored 201 has its order, each order its event order.placed, each such event its order.

    The witness of every accepted order is the client's own history, which only tests have; here the
    answers that are kept (24 h) and the event log stand for it, as far back as the log goes.
    """
    return found(_LOST, {"told_since": told_since()})


def orders_are_carried(_moment: Moment) -> Findings:
    """O2: each order has the one saga that places it, and no saga of an order is without its order.

    That a request without an answer became one order or none is what O1 and this leave no room beside.
    """
    return found(_SAGAS, {"place": PLACE_ORDER})


def one_order_per_key(_moment: Moment) -> Findings:
    """O3: no two keys were answered with one order, and each answer tells its order as it was placed.

    One answer per key is the primary key of the table; that replays are equal byte for byte is tested.
    """
    return found(_KEYS)


def orders_end(moment: Moment) -> Findings:
    """O4: an order is open only while a saga carries it, and ends as its sagas did.

    One that is late shows here when nothing is tried for it any more; what is tried again, waits for
    its payer, or is parked before an operator is not lost. A saga that is late itself is O8.
    """
    return found(_ENDLESS, {"now": moment.now, "lasts_s": ORDER_LASTS_MAX_S, "place": PLACE_ORDER})


def orders_keep_to_their_edges(_moment: Moment) -> Findings:
    """O5: the events of an order are a path of its states, without gaps, and its status is their end."""
    return found(_PATHS, {"told_since": told_since()})


_LOST = """
WITH told AS (SELECT aggregateid AS id, count(*) AS times FROM resilience_event
              WHERE type = 'order.placed' GROUP BY 1)
SELECT concat('Answer 201 to key ', a.key, ' of ', a.client, ' names order ', a.id, ', which is not there.')
         AS message,
       ARRAY[concat('order ', a.id)] AS rows
FROM (SELECT client, key, body::jsonb->>'id' AS id FROM resilience_idempotencyrecord
      WHERE endpoint = 'POST /api/v1/orders' AND status = 201) a
LEFT JOIN orders_order o ON o.id::text = a.id AND o.client = a.client
WHERE o.id IS NULL
UNION ALL
SELECT concat('Order ', id, ' is ', CASE WHEN o.id IS NULL THEN 'not ' END, 'there, and was told of ',
              coalesce(times, 0), ' times.'),
       ARRAY[concat('order ', id)]
FROM orders_order o FULL JOIN told USING (id)
WHERE o.id IS NULL OR (times IS DISTINCT FROM 1 AND id >= %(told_since)s)
"""

_SAGAS = """
SELECT concat('Order ', o.id, ' (', o.status, ') has ', coalesce(s.sagas, 0), ' sagas that place it.')
         AS message,
       ARRAY[concat('order ', o.id)] AS rows
FROM orders_order o
LEFT JOIN (SELECT business_key, count(*) AS sagas FROM resilience_saga WHERE definition = %(place)s
           GROUP BY 1) s ON s.business_key = o.id
WHERE coalesce(s.sagas, 0) <> 1
UNION ALL
SELECT concat('Saga ', s.id, ' (', s.definition, ') has no order ', s.business_key, '.'),
       ARRAY[concat('saga ', s.id), concat('order ', s.business_key)]
FROM resilience_saga s
WHERE s.definition IN (%(place)s, 'cancel_order')
  AND NOT EXISTS (SELECT 1 FROM orders_order o WHERE o.id = s.business_key)
"""

_KEYS = """
WITH answers AS (SELECT client, key, body::jsonb AS body FROM resilience_idempotencyrecord
                 WHERE endpoint = 'POST /api/v1/orders' AND status = 201)
SELECT concat('Order ', body->>'id', ' was the answer to ', count(*), ' keys.') AS message,
       ARRAY[concat('order ', body->>'id')] AS rows
FROM answers GROUP BY body->>'id' HAVING count(*) > 1
UNION ALL
SELECT concat('The answer to key ', a.key, ' of ', a.client, ' tells another order than ', o.id, ' is.'),
       ARRAY[concat('order ', o.id)]
FROM answers a JOIN orders_order o ON o.id::text = a.body->>'id'
WHERE (a.body->>'number')::bigint <> o.number
   OR (a.body#>>'{total,amount}')::bigint <> o.total_minor OR a.body#>>'{total,currency}' <> o.currency
"""

_ENDLESS = """
WITH carried AS (
  SELECT business_key AS id, bool_or(ended_at IS NULL) AS is_carried,
         bool_or(definition = %(place)s AND status = 'completed') AS is_placed,
         bool_or(definition = %(place)s AND status = 'compensated') AS is_undone,
         bool_or(definition = 'cancel_order' AND status = 'completed') AS is_cancelled,
         bool_or(ended_at IS NULL AND status <> 'parked' AND deadline_at < %(now)s) AS is_overdue,
         bool_or(definition <> %(place)s) AS has_cancel
  FROM resilience_saga WHERE definition IN (%(place)s, 'cancel_order') GROUP BY 1
)
SELECT concat('Order ', o.id, ' is ', o.status, ' since ', o.placed_at, ', and its sagas ',
              CASE WHEN c.is_overdue THEN 'are past their deadline.' ELSE 'have ended otherwise.' END)
         AS message,
       ARRAY[concat('order ', o.id)] AS rows
FROM orders_order o JOIN carried c USING (id)
WHERE (o.status IN ('pending', 'requires_action') AND c.is_overdue AND NOT c.has_cancel
       AND o.placed_at < %(now)s - make_interval(secs => %(lasts_s)s))
   OR (NOT c.is_carried AND CASE
        WHEN o.status IN ('pending', 'requires_action') THEN true
        WHEN o.status = 'cancelled' THEN NOT (c.is_undone OR c.is_cancelled)
        ELSE NOT c.is_placed OR c.is_cancelled END)
"""

_PATHS = """
WITH path AS (
  SELECT aggregateid AS id, string_agg(type, ' ' ORDER BY sequence) AS types,
         max(sequence) = count(*) AS is_whole,
         (array_agg((payload->>'refunded_minor')::bigint ORDER BY sequence DESC)
            FILTER (WHERE type = 'order.refunded'))[1] AS refunded_minor
  FROM resilience_event WHERE aggregatetype = 'order' GROUP BY 1
)
SELECT concat('Order ', o.id, ' is ', o.status, ' after ', p.types, '.') AS message,
       ARRAY[concat('order ', o.id)] AS rows
FROM orders_order o JOIN path p USING (id)
WHERE id >= %(told_since)s AND (
   NOT p.is_whole
   OR p.types !~ '^order.placed( order.confirmed( order.refunded)*)?( order.cancelled)?$'
   OR o.status <> ALL (CASE
        WHEN p.types ~ 'order.cancelled$' THEN ARRAY['cancelled']
        WHEN p.types !~ 'order.confirmed' THEN ARRAY['pending', 'requires_action']
        WHEN coalesce(p.refunded_minor, 0) = 0 THEN ARRAY['confirmed']
        WHEN p.refunded_minor < o.total_minor THEN ARRAY['partially_refunded']
        ELSE ARRAY['refunded'] END)
   OR (o.settled_at IS NULL) <> (o.status IN ('pending', 'requires_action')))
"""

register(
    Check("O1", "No accepted order is lost", Kind.SAFETY, accepted_orders_are_there),
    Check("O2", "Each order has its one saga", Kind.SAFETY, orders_are_carried),
    Check("O3", "One order per key", Kind.SAFETY, one_order_per_key),
    Check("O4", "Every order ends", Kind.LIVENESS, orders_end),
    Check("O5", "An order keeps to its edges", Kind.SAFETY, orders_keep_to_their_edges),
)
