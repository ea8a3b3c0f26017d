"""The star: views over the events of the lake. Amounts are minor units; `…_amount` is the exact decimal.

An order is as its newest event says; nothing here asks the tables that orders are kept in.
"""

from payments.money import EXPONENTS

# What a minor unit is worth: 1, 0.01 or 0.001. Decimals all the way, so that no float is in any sum.
CURRENCIES = "CREATE TABLE currencies AS SELECT * FROM (VALUES {rows}) AS c (currency, unit)".format(  # noqa: S608
    rows=", ".join(
        f"('{currency}', {10**-exponent:.3f}::DECIMAL(4, 3))" for currency, exponent in EXPONENTS.items()
    )
)

_ORDER_EVENTS = """
CREATE VIEW order_events AS
SELECT
    aggregate_id AS order_id, client, type, sequence, occurred_at, payload,
    payload->>'$.currency' AS currency
FROM events
WHERE aggregate_type = 'order'
"""
_ORDERS = """
CREATE VIEW orders AS
WITH placed AS (
    SELECT
        order_id, client, currency,
        payload->>'$.customer_reference' AS customer_reference,
        (payload->>'$.total_minor')::BIGINT AS total_minor,
        (payload->>'$.shipping_minor')::BIGINT AS shipping_minor,
        (payload->>'$.placed_at')::TIMESTAMPTZ AS placed_at,
        occurred_at AS accepted_at
    FROM order_events
    WHERE type = 'order.placed'
),
later AS (
    SELECT
        order_id,
        min(occurred_at) FILTER (WHERE type = 'order.confirmed') AS confirmed_at,
        max(occurred_at) FILTER (WHERE type = 'order.cancelled') AS cancelled_at,
        arg_max(payload->>'$.reason', sequence) FILTER (WHERE type = 'order.cancelled') AS cancel_reason
    FROM order_events
    WHERE type <> 'order.placed'
    GROUP BY order_id
),
-- From the refunds themselves: of a sale that was cancelled, orders tell none.
given_back AS (
    SELECT order_id, sum(amount_minor)::BIGINT AS refunded_minor
    FROM refunds
    WHERE refunded_at IS NOT NULL AND failed_at IS NULL
    GROUP BY order_id
)
SELECT
    placed.order_id,
    placed.client,
    CASE
        WHEN later.cancelled_at IS NOT NULL THEN 'cancelled'
        WHEN given_back.refunded_minor >= placed.total_minor THEN 'refunded'
        WHEN given_back.refunded_minor > 0 THEN 'partially_refunded'
        WHEN later.confirmed_at IS NOT NULL THEN 'confirmed'
        ELSE 'pending'
    END AS status,
    placed.customer_reference,
    placed.currency,
    placed.total_minor,
    placed.total_minor::DECIMAL(18, 0) * currencies.unit AS total_amount,
    placed.shipping_minor,
    coalesce(given_back.refunded_minor, 0) AS refunded_minor,
    placed.placed_at,
    placed.accepted_at,
    later.confirmed_at,
    coalesce(later.confirmed_at, later.cancelled_at) AS settled_at,
    later.cancelled_at,
    later.cancel_reason
FROM placed
JOIN currencies USING (currency)
LEFT JOIN later USING (order_id)
LEFT JOIN given_back USING (order_id)
"""
_LINES = """
CREATE VIEW lines AS
SELECT
    order_id, client, currency,
    line->>'$.sku' AS sku,
    (line->>'$.quantity')::BIGINT AS quantity,
    (line->>'$.unit_price_minor')::BIGINT AS unit_price_minor,
    (line->>'$.total_minor')::BIGINT AS total_minor,
    (line->>'$.total_minor')::BIGINT::DECIMAL(18, 0) * unit AS total_amount,
    placed_at
FROM (
    SELECT
        order_id, client, currency,
        (payload->>'$.placed_at')::TIMESTAMPTZ AS placed_at,
        unnest(json_extract(payload, '$.lines[*]')) AS line
    FROM order_events
    WHERE type = 'order.placed'
)
JOIN currencies USING (currency)
"""
_PAYMENTS = """
CREATE VIEW payments AS
SELECT
    aggregate_id AS payment_id,
    any_value(payload->>'$.order_id') AS order_id,
    any_value(client) AS client,
    any_value(payload->>'$.currency') AS currency,
    max((payload->>'$.amount_minor')::BIGINT)
        FILTER (WHERE type IN ('payment.authorized', 'payment.captured', 'payment.declined')) AS amount_minor,
    coalesce(arg_min(nullif(payload->>'$.method_type', ''), sequence), '') AS method_type,
    coalesce(arg_max(nullif(payload->>'$.gateway', ''), sequence), '') AS gateway,
    coalesce(arg_max(payload->>'$.code', sequence) FILTER (WHERE type = 'payment.declined'), '')
        AS decline_code,
    CASE
        WHEN bool_or(type = 'payment.captured') THEN 'captured'
        WHEN bool_or(type = 'payment.voided') THEN 'voided'
        WHEN bool_or(type = 'payment.declined') THEN 'declined'
        WHEN bool_or(type = 'payment.authorized') THEN 'authorized'
        WHEN bool_or(type = 'payment.processing') THEN 'processing'
        ELSE 'requires_action'
    END AS status,
    min(occurred_at) FILTER (WHERE type = 'payment.authorized') AS authorized_at,
    min(occurred_at) FILTER (WHERE type = 'payment.captured') AS captured_at,
    count(*) FILTER (WHERE type = 'payment.disputed') AS disputes
FROM events
WHERE aggregate_type = 'payment'
GROUP BY aggregate_id
"""
# A refund that came back is there with a `failed_at`.
_REFUNDS = """
CREATE VIEW refunds AS
WITH told AS (
    SELECT
        payload->>'$.refund_id' AS refund_id, client, type, occurred_at, payload, aggregate_id AS payment_id
    FROM events
    WHERE type IN ('payment.refunded', 'payment.refund_failed')
)
SELECT
    refund_id,
    any_value(payment_id) AS payment_id,
    any_value(payload->>'$.order_id') AS order_id,
    any_value(client) AS client,
    any_value(payload->>'$.currency') AS currency,
    max((payload->>'$.amount_minor')::BIGINT) AS amount_minor,
    max((payload->>'$.amount_minor')::BIGINT)::DECIMAL(18, 0) * any_value(unit) AS amount,
    min(occurred_at) FILTER (WHERE type = 'payment.refunded') AS refunded_at,
    min(occurred_at) FILTER (WHERE type = 'payment.refund_failed') AS failed_at
FROM told JOIN currencies ON currencies.currency = payload->>'$.currency'
GROUP BY refund_id
"""
_CUSTOMERS = """
CREATE VIEW customers AS
SELECT
    client, customer_reference,
    count(*) AS orders,
    count(*) FILTER (WHERE confirmed_at IS NOT NULL) AS confirmed_orders,
    min(placed_at) AS first_order_at,
    max(placed_at) AS last_order_at
FROM orders
GROUP BY client, customer_reference
"""
_DAYS = """
CREATE VIEW days AS
SELECT
    day,
    year(day) AS year, quarter(day) AS quarter, month(day) AS month, weekofyear(day) AS iso_week,
    isodow(day) AS iso_weekday, day = date_trunc('month', day) AS is_first_of_month
FROM (
    SELECT unnest(generate_series(min(day), max(day), INTERVAL 1 DAY))::DATE AS day
    FROM (SELECT (placed_at AT TIME ZONE 'UTC')::DATE AS day FROM orders)
)
"""

# Each after what it is made of.
STATEMENTS = (CURRENCIES, _ORDER_EVENTS, _REFUNDS, _ORDERS, _LINES, _PAYMENTS, _CUSTOMERS, _DAYS)
