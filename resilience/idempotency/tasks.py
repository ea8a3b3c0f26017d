"""The Celery entrance of pruning."""

import logging

from celery import shared_task

from resilience import clock
from resilience.idempotency.prune import prune

logger = logging.getLogger(__name__)


@shared_task(name="resilience.idempotency.prune")
def prune_answers() -> None:
    """Delete stored answers whose time is over."""
    logger.info("Stored answers were pruned.", extra={"deleted": prune(now=clock.now())})
