"""The Celery entrance of routing."""

import logging

from celery import shared_task

from resilience.routing.failovers import note_primary

logger = logging.getLogger(__name__)


@shared_task(name="resilience.note_primary", acks_late=False)
def note_who_is_primary() -> None:
    """Notice that another server has become the primary."""
    if note_primary():
        logger.warning("A timeline of the primary was seen for the first time.")
