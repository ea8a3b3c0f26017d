"""What is done to the event log on a schedule."""

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from resilience.events.days import open_days, today
from resilience.events.retention import forget
from resilience.events.steering import carry_on

logger = logging.getLogger(__name__)

# Below what beat rings at (config/schedule.py), so that a replay is one worker's at a time.
_CARRIED_S = 8.0


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


# Acknowledged early: where it died the next one goes on.
@shared_task(name="resilience.carry_on_replays", acks_late=False)
def carry_on_replays() -> None:
    """Hand over the next events of the replays that were begun from the dashboard."""
    carry_on(within_s=_CARRIED_S)
