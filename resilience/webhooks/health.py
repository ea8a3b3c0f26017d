"""What of webhooks may wait, and how long before somebody should know."""

from resilience.health.backlogs import Backlog, register_backlog
from resilience.health.roles import register_role
from resilience.pulse import Query

# Only of receivers that answer: one that does not is its owner's matter, and shown to him.
_OLDEST_DUE = """
    SELECT extract(epoch FROM clock_timestamp() - min(oldest.due_at))
    FROM resilience_webhook_endpoint AS e CROSS JOIN LATERAL (
        SELECT d.due_at FROM resilience_webhook_delivery AS d
        WHERE d.endpoint_id = e.id AND d.state = 'pending' ORDER BY d.due_at LIMIT 1
    ) AS oldest
    WHERE e.disabled_at IS NULL AND e.failures_in_row = 0
"""

register_backlog(
    Backlog(
        name="webhooks_out:oldest_due_s",
        unit="s",
        question=lambda: Query(_OLDEST_DUE),
        warn=30,
        fail=300,
        meaning="Clients hear late of their orders by webhook; the feed and the API tell them all the same.",
        output="Deliveries are due and not sent: see docs/runbooks/webhooks-out.md.",
    )
)
register_role(
    "sender",
    silence_s_max=15.0,
    meaning="No webhook is sent; deliveries wait, and none is lost.",
)
