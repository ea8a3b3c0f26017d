"""What is done to the event log on a schedule."""

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from resilience.events.days import open_days, today
from resilience.events.retention import forget

logger = logging.getLogger(__name__)


@shared_task(name="resilience.keep_event_log", acks_late=False)
def keep_event_log() -> None:
    """Open the days to come, and forget those that are old and read by everybody."""
    day = today()
    opened = open_days(day)
    forgotten = forget(before=day - timedelta(days=settings.EVENT_LOG_DAYS))
    logger.info(
        "The event log was kept.",
        extra={
            "opened": [one.isoformat() for one in opened],
            "forgotten": forgotten.partitions,
            "inbox_rows": forgotten.inbox_rows,
        },
    )
