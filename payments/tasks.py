"""The Celery entrances of payments."""

import logging

from celery import shared_task

from payments.services.observation import leave_to_polling
from payments.services.sweep_notices import sweep_notices
from resilience import clock

logger = logging.getLogger(__name__)


@shared_task(name="payments.notices.sweep")
def sweep_waiting_notices() -> None:
    """Try notices again that wait for their payment, or that were left."""
    swept = sweep_notices(now=clock.now(), observe=leave_to_polling)
    logger.info("Notices were swept.", extra=vars(swept))
