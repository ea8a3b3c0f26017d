"""Reconcile what has moved lately, and once a day everything."""

from datetime import datetime, timedelta

from payments.models import ReconciliationRun
from payments.services.reconcile_gateway import reconcile
from payments.states import RunStatus

# What the last run may have missed: lines that were late, clocks that differ, what was under way.
OVERLAP = timedelta(minutes=10)
# Something of old may change too; a whole pass over a hundred thousand lines takes minutes.
WHOLE_EVERY = timedelta(days=1)


def reconcile_lately(gateway_name: str, *, now: datetime) -> ReconciliationRun:
    """Reconcile from the last finished run on, or everything when that was not done for a day.

    Raises as `reconcile` does.
    """
    return reconcile(gateway_name, since=_since(gateway_name, now), now=now)


def _since(gateway_name: str, now: datetime) -> datetime | None:
    finished = ReconciliationRun.objects.using("default").filter(
        gateway=gateway_name, status=RunStatus.FINISHED
    )
    if not finished.filter(since=None, started_at__gt=now - WHOLE_EVERY).exists():
        return None
    last = finished.latest("started_at")
    return last.started_at - OVERLAP
