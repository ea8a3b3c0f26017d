"""The Celery entrances of telemetry."""

from celery import shared_task

from resilience import clock
from resilience.telemetry.rollup import prune, roll_up


@shared_task(name="resilience.telemetry.roll_up")
def roll_up_metrics() -> None:
    """Bring minutes and hours up to date, and delete what is old."""
    now = clock.now()
    roll_up(now=now)
    prune(now=now)
