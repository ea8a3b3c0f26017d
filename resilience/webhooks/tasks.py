"""What is done to the delivery log on a schedule."""

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import connection

from resilience import clock

# Long enough to answer "did we get it?" about last month.
_KEPT_FOR = timedelta(days=30)
_ROWS_AT_ONCE = 5_000
# What one run may delete: a night's pruning must not hold the worker for long.
_RUNS_MAX = 100
_PRUNE = """
DELETE FROM resilience_webhook_attempt WHERE delivery_id IN (
    SELECT id FROM resilience_webhook_delivery
    WHERE settled_at < %(before)s ORDER BY settled_at LIMIT %(rows)s
)
"""
_PRUNE_DELIVERIES = """
DELETE FROM resilience_webhook_delivery WHERE id IN (
    SELECT id FROM resilience_webhook_delivery AS d
    WHERE settled_at < %(before)s
      AND NOT EXISTS (SELECT FROM resilience_webhook_attempt AS a WHERE a.delivery_id = d.id)
    ORDER BY settled_at LIMIT %(rows)s
)
"""


@shared_task(name="resilience.prune_webhook_log", acks_late=False)
def prune_webhook_log() -> None:
    """Delete deliveries that were settled more than 30 days ago, with their attempts, in small pieces."""
    parameters: dict[str, Any] = {"before": clock.now() - _KEPT_FOR, "rows": _ROWS_AT_ONCE}
    for _run in range(_RUNS_MAX):
        with connection.cursor() as cursor:
            cursor.execute(_PRUNE, parameters)
            cursor.execute(_PRUNE_DELIVERIES, parameters)
            if cursor.rowcount == 0:
                return
