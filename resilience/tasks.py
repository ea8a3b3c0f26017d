"""The Celery entrances of every tool, where Celery looks for them."""

from resilience.events.tasks import carry_on_replays, keep_event_log
from resilience.flags.tasks import guard_flags
from resilience.idempotency.tasks import prune_answers
from resilience.routing.tasks import note_who_is_primary
from resilience.saga.tasks import run_sagas
from resilience.telemetry.tasks import roll_up_metrics
from resilience.webhooks.tasks import prune_webhook_log

__all__ = [
    "carry_on_replays",
    "guard_flags",
    "keep_event_log",
    "note_who_is_primary",
    "prune_answers",
    "prune_webhook_log",
    "roll_up_metrics",
    "run_sagas",
]
