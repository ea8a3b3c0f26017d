"""What is measured of orders."""

from resilience.telemetry import Kind, Metric, declare

declare(
    Metric(
        "orders_accepted_total",
        Kind.COUNTER,
        unit="orders",
        help="Orders that the API answered with 201; a repeated request counts once.",
        labels=("currency",),
    ),
)
