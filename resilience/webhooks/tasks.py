"""What is done to the delivery log on a schedule."""

from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import connection, transaction

from resilience import clock
from resilience.routing.databases import PRIMARY

# Long enough to answer "did we get it?" about last month.
_KEPT_FOR = timedelta(days=30)
_ROWS_AT_ONCE = 5_000
# What one run may delete: a night's pruning must not hold the worker for long.
_RUNS_MAX = 100
# Of nobody's interest any more: settled long ago, waiting for an endpoint that has been off as long, or an
# endpoint's that was deleted. Each part finds its rows by an index.
_OLD = """
(SELECT id FROM resilience_webhook_delivery
 WHERE settled_at < %(before)s ORDER BY settled_at LIMIT %(rows)s)
UNION
(SELECT d.id
 FROM resilience_webhook_endpoint AS e JOIN resilience_webhook_delivery AS d ON d.endpoint_id = e.id
 WHERE e.disabled_reason = 'deleted'
 LIMIT %(rows)s)
UNION
(SELECT d.id
 FROM resilience_webhook_endpoint AS e JOIN resilience_webhook_delivery AS d ON d.endpoint_id = e.id
 WHERE e.disabled_at < %(before)s AND d.state = 'pending'
 LIMIT %(rows)s)
"""
# Asked again of each row once it is locked: meanwhile it may have been asked for, or its endpoint enabled.
_LOCK = """
SELECT d.id
FROM resilience_webhook_delivery AS d JOIN resilience_webhook_endpoint AS e ON e.id = d.endpoint_id
WHERE d.id = ANY(%(ids)s)
  AND (d.settled_at < %(before)s
       OR e.disabled_reason = 'deleted'
       OR (e.disabled_at < %(before)s AND d.state = 'pending'))
ORDER BY d.id
FOR UPDATE OF d SKIP LOCKED
"""
_FORGET_ATTEMPTS = "DELETE FROM resilience_webhook_attempt WHERE delivery_id = ANY(%s)"
_FORGET = "DELETE FROM resilience_webhook_delivery WHERE id = ANY(%s)"
_FORGET_ENDPOINTS = """
DELETE FROM resilience_webhook_endpoint AS e
WHERE e.disabled_reason = 'deleted'
  AND NOT EXISTS (SELECT FROM resilience_webhook_delivery AS d WHERE d.endpoint_id = e.id)
"""


@shared_task(name="resilience.prune_webhook_log", acks_late=False)
def prune_webhook_log() -> None:
    """Delete what was settled more than 30 days ago, and what is left of endpoints, in small pieces."""
    parameters: dict[str, Any] = {"before": clock.now() - _KEPT_FOR, "rows": _ROWS_AT_ONCE}
    for _run in range(_RUNS_MAX):
        if not _forget_some(parameters):
            break
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_ENDPOINTS)


def _forget_some(parameters: dict[str, Any]) -> int:
    with transaction.atomic(using=PRIMARY), connection.cursor() as cursor:
        cursor.execute(_OLD, parameters)
        found = [id_ for (id_,) in cursor.fetchall()]
        cursor.execute(_LOCK, {**parameters, "ids": found})
        ids = [id_ for (id_,) in cursor.fetchall()]
        cursor.execute(_FORGET_ATTEMPTS, [ids])
        cursor.execute(_FORGET, [ids])
    return len(ids)
