"""Questions about sagas that other sagas and screens ask."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Min

from resilience.saga.models import Saga
from resilience.saga.states import SagaStatus


def statuses_of(definition: str, *, business_keys: Sequence[UUID]) -> dict[UUID, SagaStatus]:
    """Return the status of the saga of each business key; keys without one are left out."""
    rows = Saga.objects.using("default").filter(definition=definition, business_key__in=business_keys)
    return {key: SagaStatus(status) for key, status in rows.values_list("business_key", "status")}


def next_dues_of(business_keys: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when the first saga of each business key goes on by itself; keys without one are left out."""
    due = Saga.objects.filter(business_key__in=business_keys, due_at__isnull=False)
    return dict(due.values_list("business_key").annotate(first=Min("due_at")).order_by())
