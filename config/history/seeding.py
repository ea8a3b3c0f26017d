"""Orders that were placed, paid and confirmed long ago, and all that tells of them, straight into tables.

No gateway knows of them and nothing of them is booked: an audit of such a database fails, as it should.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction

CLIENT = "history"
# In one transaction: readers of the log wait for its end.
_CHUNK = 5_000
STEPS_PER_ORDER = 4


def seed(orders: int, *, until: datetime, over: timedelta) -> int:
    """Write `orders` orders placed in the stretch `over` up to `until`; return how many events there are.

    Commits piece by piece. Raises LookupError when the catalogue is empty.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders_product")
        if cursor.fetchone()[0] == 0:
            raise LookupError("The catalogue is empty: there is nothing that could have been ordered.")
    events = 0
    for first in range(0, orders, _CHUNK):
        count = min(_CHUNK, orders - first)
        start = until - over * ((orders - first) / orders)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_MADE, {"count": count, "start": start, "end": start + over * (count / orders)})
            for statement in _ROWS:
                cursor.execute(statement, {"client": CLIENT})
            cursor.execute(_EVENTS, {"client": CLIENT})
            events += cursor.rowcount
            cursor.execute("DROP TABLE made")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return events


def _id(at: str) -> str:
    """Return the SQL of a UUIDv7 of the moment `at` (RFC 9562, 5.7)."""
    return f"""(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0')
        || '7' || lpad(to_hex((random() * 4095)::int), 3, '0')
        || to_hex(8 + (random() * 3)::int) || lpad(to_hex((random() * 4095)::int), 3, '0')
        || lpad(to_hex((random() * 281474976710655)::bigint), 12, '0'))::uuid"""


_MADE = f"""
CREATE TEMPORARY TABLE made AS
SELECT
    n, at, {_id("at")} AS order_id, {_id("at")} AS payment_id, {_id("at")} AS saga_id,
    product.sku, product.name, product.price_minor, product.currency, 1 + n %% 3 AS quantity,
    (1 + n %% 3) * product.price_minor AS total_minor, 'sandbox-' || (1 + n %% 2) AS gateway,
    'pi_history_' || replace({_id("at")}::text, '-', '') AS reference
FROM (
    SELECT n, %(start)s::timestamptz
        + (%(end)s::timestamptz - %(start)s::timestamptz) * (n::float8 / %(count)s) AS at
    FROM generate_series(0, %(count)s - 1) AS n
) AS moment
JOIN (
    SELECT sku, name, price_minor, currency, row_number() OVER (ORDER BY sku) - 1 AS place,
           count(*) OVER () AS products
    FROM orders_product
    WHERE price_minor > 0
) AS product ON product.place = n %% product.products
"""  # noqa: S608 - the only part put in is a constant of this module
_ROWS = (
    """
    INSERT INTO orders_order (id, client, status, customer_reference, customer_email, currency,
                              shipping_minor, total_minor, metadata, cancel_reason, placed_at, settled_at)
    SELECT order_id, %(client)s, 'confirmed', 'person-' || n %% 4000, '', currency, 0, total_minor, '{}', '',
           at, at + interval '200 ms'
    FROM made ORDER BY n
    """,
    """
    INSERT INTO orders_order_line (order_id, position, sku, name, quantity, unit_price_minor, total_minor)
    SELECT order_id, 0, sku, name, quantity, price_minor, total_minor FROM made ORDER BY n
    """,
    """
    INSERT INTO orders_reservation (order_id, product_id, quantity, status)
    SELECT order_id, sku, quantity, 'committed' FROM made ORDER BY n
    """,
    """
    INSERT INTO payments_payment (id, order_id, client, position, method, method_type, amount_minor, currency,
                                  status, captured_minor, refunded_minor, gateway, reference, action_url,
                                  decline_code, created_at, settled_at)
    SELECT payment_id, order_id, %(client)s, 0, 'pm_card_visa', 'card', total_minor, currency, 'captured',
           total_minor, 0, gateway, reference, '', '', at, at + interval '150 ms'
    FROM made ORDER BY n
    """,
    f"""
    INSERT INTO payments_operation (id, payment_id, kind, gateway, key, amount_minor, phase, outcome,
                                    reference, error, sends, created_at, sent_at, settled_at)
    SELECT {_id("at")}, payment_id, kind, gateway, kind || '-' || payment_id, total_minor, 'settled',
           'succeeded', reference, '', 1, at, at, at + interval '50 ms'
    FROM made CROSS JOIN (VALUES ('authorize'), ('capture')) AS operation (kind) ORDER BY n
    """,  # noqa: S608 - as above
    """
    INSERT INTO resilience_saga (id, definition, version, business_key, status, cursor, attempt, waits, data,
                                 reason, parked_from, parked_reason, abort_requested, deadline_at,
                                 lease_owner, fence, created_at, ended_at)
    SELECT saga_id, 'place_order', 1, order_id, 'completed', 3, 0, 0, '{}', '', '', '', false,
           at + interval '1 day', '', 8, at, at + interval '200 ms'
    FROM made ORDER BY n
    """,
    """
    INSERT INTO resilience_saga_step (saga_id, fence, step, direction, attempt, outcome, error, started_at,
                                      finished_at)
    SELECT saga_id, place, step, 'do', 1, 'done', '', at + place * interval '40 ms',
           at + (place + 1) * interval '40 ms'
    FROM made CROSS JOIN (
        VALUES (1, 'reserve_stock'), (2, 'authorize_payment'), (3, 'capture_payment'), (4, 'confirm_order')
    ) AS steps (place, step)
    ORDER BY n, place
    """,
    """
    INSERT INTO resilience_event_stream (aggregatetype, aggregateid, sequence, xid)
    SELECT aggregatetype, CASE aggregatetype WHEN 'order' THEN order_id ELSE payment_id END, 2,
           pg_current_xact_id()
    FROM made CROSS JOIN (VALUES ('order'), ('payment')) AS aggregates (aggregatetype)
    """,
)
_EVENTS = f"""
INSERT INTO resilience_event (id, aggregatetype, aggregateid, sequence, type, version, payload, client, xid,
                              occurred_at, recorded_at)
SELECT {_id("at")}, aggregatetype, CASE aggregatetype WHEN 'order' THEN order_id ELSE payment_id END,
       sequence, type, 1,
       CASE type
           WHEN 'order.placed' THEN jsonb_build_object(
               'order_id', order_id, 'client', %(client)s::text, 'customer_reference', 'person-' || n %% 4000,
               'currency', currency, 'shipping_minor', 0, 'total_minor', total_minor, 'placed_at', at,
               'lines', jsonb_build_array(jsonb_build_object(
                   'sku', sku, 'quantity', quantity, 'unit_price_minor', price_minor,
                   'total_minor', total_minor)))
           WHEN 'order.confirmed' THEN jsonb_build_object(
               'order_id', order_id, 'client', %(client)s::text, 'currency', currency,
               'total_minor', total_minor)
           ELSE jsonb_build_object(
               'payment_id', payment_id, 'order_id', order_id, 'amount_minor', total_minor,
               'currency', currency, 'gateway', gateway, 'reference', reference, 'method_type', 'card')
       END,
       %(client)s, pg_current_xact_id(), at + place * interval '40 ms', clock_timestamp()
FROM made CROSS JOIN (
    VALUES (1, 'order', 1, 'order.placed'), (2, 'payment', 1, 'payment.authorized'),
           (3, 'payment', 2, 'payment.captured'), (4, 'order', 2, 'order.confirmed')
) AS facts (place, aggregatetype, sequence, type)
ORDER BY n, place
"""  # noqa: S608 - as above
