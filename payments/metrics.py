"""What is measured of payments."""

from resilience.telemetry import Kind, Metric, declare

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
