"""The reports: each a question, and its answer in SQL over the star (analytics/warehouse/star.py).

Time is that of the purchase (`placed_at`) in the zone that is asked for. A sale is an order that was
confirmed. Columns that end in `_minor` are minor units of the row's `currency`.
"""

from dataclasses import dataclass

DAY, WEEK, MONTH = "day", "week", "month"
PERIODS = (DAY, WEEK, MONTH)

# Parameters: client (NULL: all), currency (NULL: all), since and until (moments), zone, granularity.
_SCOPE = """
WITH every_order AS (
    SELECT *, placed_at AT TIME ZONE $zone AS local_at, confirmed_at IS NOT NULL AS is_sold
    FROM orders
    WHERE ($client::VARCHAR IS NULL OR client = $client)
      AND ($currency::VARCHAR IS NULL OR currency = $currency)
),
scoped AS (SELECT * FROM every_order WHERE placed_at >= $since AND placed_at < $until),
paid AS (
    SELECT payments.*, scoped.local_at FROM payments JOIN scoped USING (order_id)
)
"""


@dataclass(frozen=True)
class Report:
    """A report. `granularities` are those that it can be asked for, the first one by default; () for none."""

    name: str
    question: str
    sql: str
    granularities: tuple[str, ...] = ()


def _report(name: str, question: str, sql: str, granularities: tuple[str, ...] = ()) -> Report:
    return Report(name, question, _SCOPE + sql, granularities)


_REVENUE = """
SELECT
    date_trunc($granularity, local_at)::DATE AS period,
    currency,
    count(*) AS orders,
    count(*) FILTER (WHERE is_sold) AS sales,
    coalesce(sum(total_minor) FILTER (WHERE is_sold), 0)::BIGINT AS revenue_minor,
    sum(refunded_minor)::BIGINT AS refunded_minor,
    CASE WHEN count(*) FILTER (WHERE is_sold) > 0 THEN (
        (2 * sum(total_minor) FILTER (WHERE is_sold) + count(*) FILTER (WHERE is_sold))
        // (2 * count(*) FILTER (WHERE is_sold))
    )::BIGINT END AS average_sale_minor
FROM scoped
GROUP BY ALL
ORDER BY ALL
"""
_PAYMENTS = """
SELECT
    method_type,
    currency,
    count(*) AS payments,
    count(*) FILTER (WHERE status = 'captured') AS captured,
    count(*) FILTER (WHERE decline_code <> '') AS declined,
    coalesce(sum(amount_minor) FILTER (WHERE status = 'captured'), 0)::BIGINT AS paid_minor,
    (count(*) FILTER (WHERE status = 'captured') / nullif(
        count(*) FILTER (WHERE status = 'captured' OR decline_code <> ''), 0
    ))::DECIMAL(5, 4) AS success_rate
FROM paid
GROUP BY ALL
ORDER BY ALL
"""
_DECLINES = """
SELECT decline_code, method_type, count(*) AS payments
FROM paid
WHERE decline_code <> ''
GROUP BY ALL
ORDER BY payments DESC, decline_code, method_type
"""
_SETTLING = """
SELECT
    date_trunc($granularity, local_at)::DATE AS period,
    count(*) AS orders,
    quantile_disc(took_ms, 0.50) AS p50_ms,
    quantile_disc(took_ms, 0.90) AS p90_ms,
    quantile_disc(took_ms, 0.99) AS p99_ms,
    max(took_ms) AS max_ms
FROM (
    SELECT local_at, date_diff('millisecond', accepted_at, settled_at) AS took_ms
    FROM scoped
    WHERE settled_at IS NOT NULL
)
GROUP BY ALL
ORDER BY ALL
"""
# By when the money went, not by when the order was placed.
_REFUNDS = """,
moved AS (
    SELECT 'refund' AS kind, client, currency, amount_minor, refunded_at AS moved_at
    FROM refunds
    WHERE refunded_at IS NOT NULL AND failed_at IS NULL
    UNION ALL
    SELECT
        'dispute', client, payload->>'$.currency', (payload->>'$.amount_minor')::BIGINT, occurred_at
    FROM events
    WHERE type = 'payment.disputed'
)
SELECT
    date_trunc($granularity, moved_at AT TIME ZONE $zone)::DATE AS period,
    kind,
    currency,
    count(*) AS count,
    sum(amount_minor)::BIGINT AS amount_minor
FROM moved
WHERE moved_at >= $since AND moved_at < $until
  AND ($client::VARCHAR IS NULL OR client = $client)
  AND ($currency::VARCHAR IS NULL OR currency = $currency)
GROUP BY ALL
ORDER BY ALL
"""
_CUSTOMERS = """
SELECT
    count(*) AS customers,
    count(*) FILTER (WHERE orders >= 2) AS repeat_customers,
    coalesce(sum(orders), 0)::BIGINT AS orders,
    coalesce(sum(orders) FILTER (WHERE orders >= 2), 0)::BIGINT AS orders_of_repeat_customers
FROM (SELECT client, customer_reference, count(*) AS orders FROM scoped GROUP BY ALL)
"""
_PRODUCTS = """
SELECT
    sku,
    lines.currency,
    count(DISTINCT order_id) AS orders,
    sum(lines.quantity)::BIGINT AS quantity,
    sum(lines.total_minor)::BIGINT AS revenue_minor
FROM lines JOIN scoped USING (order_id)
WHERE is_sold
GROUP BY ALL
ORDER BY revenue_minor DESC, sku
LIMIT 100
"""
_FUNNEL = """
SELECT
    count(*) AS placed,
    count(*) FILTER (WHERE is_sold) AS confirmed,
    count(*) FILTER (WHERE is_sold AND refunded_minor > 0) AS refunded,
    count(*) FILTER (WHERE cancelled_at IS NOT NULL) AS cancelled,
    (count(*) FILTER (WHERE is_sold) / nullif(count(*), 0))::DECIMAL(5, 4) AS confirmed_rate,
    (count(*) FILTER (WHERE is_sold AND refunded_minor > 0)
        / nullif(count(*) FILTER (WHERE is_sold), 0))::DECIMAL(5, 4) AS refunded_rate
FROM scoped
"""
# A customer's first purchase may lie before the period that is asked for.
_COHORTS = """,
firsts AS (
    SELECT client, customer_reference, date_trunc('month', min(local_at))::DATE AS cohort
    FROM every_order
    GROUP BY ALL
)
SELECT
    cohort,
    date_diff('month', cohort, date_trunc('month', local_at)::DATE) AS months_later,
    currency,
    count(DISTINCT (client, customer_reference)) AS customers,
    count(*) AS orders,
    coalesce(sum(total_minor) FILTER (WHERE is_sold), 0)::BIGINT AS revenue_minor
FROM scoped JOIN firsts USING (client, customer_reference)
GROUP BY ALL
ORDER BY ALL
"""
_BUSIEST = """
SELECT strftime(date_trunc($granularity, local_at), '%Y-%m-%dT%H:%M') AS period, count(*) AS orders
FROM scoped
GROUP BY ALL
ORDER BY orders DESC, period
LIMIT 10
"""

REPORTS = {
    report.name: report
    for report in (
        _report("revenue", "What was sold, and for how much on average?", _REVENUE, PERIODS),
        _report("payments", "How many payments succeed, and what was paid by what?", _PAYMENTS),
        _report("declines", "Why are payments declined?", _DECLINES),
        _report("settling", "How long does an order take until it is settled?", _SETTLING, PERIODS),
        _report("refunds", "What was given back, or taken back by banks?", _REFUNDS, PERIODS),
        _report("customers", "How many customers come again?", _CUSTOMERS),
        _report("products", "What sells best? The first hundred by revenue.", _PRODUCTS),
        _report("funnel", "What becomes of orders?", _FUNNEL),
        _report("cohorts", "When do customers come again, by the month of their first order?", _COHORTS),
        _report("busiest", "When do most orders come? The first ten.", _BUSIEST, (DAY, "hour", "minute")),
    )
}
