"""What is measured of payments."""

from resilience.telemetry import Kind, Metric, Sample, declare, sample

declare(
    Metric(
        "gateway_call_s",
        Kind.HISTOGRAM,
        unit="seconds",
        help="Questions to a gateway account, by what was asked and what it meant.",
        labels=("gateway", "operation", "outcome"),
        series_max=400,
    ),
    Metric(
        "payments_in_doubt",
        Kind.GAUGE,
        unit="operations",
        help="Operations that were sent and not answered; counted up to 10,000.",
    ),
    Metric(
        "payments_in_doubt_oldest_s",
        Kind.GAUGE,
        unit="seconds",
        help="How long the oldest of them has been in doubt.",
    ),
)

# Found by the indexes of what is live, so that the settled ones are not looked at.
_IN_DOUBT = """
SELECT {what}
FROM (SELECT in_doubt_since FROM payments_operation
      WHERE phase <> 'settled' AND kind <> 'refund' AND in_doubt_since IS NOT NULL
      UNION ALL
      SELECT in_doubt_since FROM payments_operation
      WHERE phase <> 'settled' AND refund_id IS NOT NULL AND in_doubt_since IS NOT NULL
      LIMIT 10000) AS doubtful
"""
_OLDEST_S = "coalesce(extract(epoch FROM clock_timestamp() - min(in_doubt_since)), 0)::float8"
sample(
    Sample("payments_in_doubt", _IN_DOUBT.format(what="count(*)")),
    Sample("payments_in_doubt_oldest_s", _IN_DOUBT.format(what=_OLDEST_S)),
)
