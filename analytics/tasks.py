"""What is done to projections on a schedule."""

from celery import shared_task

from analytics.projections import prune
from resilience import clock


@shared_task(name="analytics.prune_tallies", acks_late=False)
def prune_tallies() -> None:
    """Forget minutes that are older than a live tile shows."""
    prune(now=clock.now())
