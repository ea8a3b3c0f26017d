"""What operators can turn off in read routing (docs/flags.md)."""

from resilience.flags import Switch

REPLICA_READS = Switch(
    name="replica-reads",
    owner="resilience",
    purpose="Off: every read goes to the primary, as many at once as the bulkhead for that allows.",
    safe=True,
    default=True,
)
