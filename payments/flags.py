"""What operators can turn off in the payments room (docs/flags.md)."""

from resilience.flags import Switch

# Whoever captures or fails over has the database, and so knows the value within a second of its start.
CAPTURE = Switch(
    name="capture",
    owner="payments",
    purpose="Off: no new capture is sent; authorized orders wait, and what was sent already is followed up.",
    safe=True,
    default=True,
)
FAILOVER = Switch(
    name="failover",
    owner="payments",
    purpose="Off: a payment stays with the account it was first sent to, and waits for it.",
    safe=True,
    default=True,
)
