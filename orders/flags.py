"""What operators can turn off in the orders room (docs/flags.md)."""

from resilience.flags import Switch

ORDER_INTAKE = Switch(
    name="order-intake",
    owner="orders",
    purpose="Off: new orders are answered 503 with Retry-After; those that were accepted go on to their end.",
    # Without the database nothing can be accepted anyway, and with it the value is known within a second.
    safe=True,
    default=True,
)
