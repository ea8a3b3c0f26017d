"""The Celery entrances of every tool, where Celery looks for them."""

from resilience.idempotency.tasks import prune_answers
from resilience.saga.tasks import run_sagas

__all__ = ["prune_answers", "run_sagas"]
