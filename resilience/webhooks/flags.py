"""What operators can turn off of webhooks (docs/flags.md)."""

from resilience.flags import Switch

WEBHOOKS_OUT = Switch(
    name="webhooks-out",
    owner="resilience",
    purpose="Off: no webhook is sent; deliveries wait, and none is lost or given up for it.",
    safe=True,
    default=True,
)
