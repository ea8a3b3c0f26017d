"""Waking sagas that wait: something happened that they may be waiting for."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import DateTimeField, F, Func
from django.db.models.functions import Least

from resilience.saga.models import Saga
from resilience.saga.states import ACTIVE

# The database's clock, as in the store: leases and due times must not depend on ours.
_NOW = Func(function="clock_timestamp", output_field=DateTimeField())


def signal(business_keys: Sequence[UUID]) -> int:
    """Make the active sagas of these keys due now; return how many there are.

    One whose step is running now sets its own due time when that ends, and does not see this.
    """
    active = Saga.objects.using("default").filter(
        business_key__in=business_keys, status__in=[status.value for status in ACTIVE]
    )
    with transaction.atomic():
        # In the order in which workers lock them.
        ids = list(active.order_by("id").select_for_update(no_key=True).values_list("id", flat=True))
        return active.filter(id__in=ids).update(due_at=Least(F("due_at"), _NOW))
