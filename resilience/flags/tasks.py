"""The Celery entrance of the guards."""

import logging

from celery import shared_task

from resilience import clock
from resilience.flags.look import look

logger = logging.getLogger(__name__)


@shared_task(name="resilience.flags.guard")
def guard_flags() -> None:
    """Turn off each flag whose units fare worse than the others."""
    for conviction in look(now=clock.now()):
        logger.error(
            "A flag was turned off by its guard.",
            extra={"flag": conviction.flag, "measure": conviction.measure, "reason": conviction.reason},
        )
