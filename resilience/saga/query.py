"""Questions about sagas that other sagas and screens ask."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from resilience.saga.models import Saga
from resilience.saga.states import SagaStatus


def statuses_of(definition: str, *, business_keys: Sequence[UUID]) -> dict[UUID, SagaStatus]:
    """Return the status of the saga of each business key; keys without one are left out."""
    rows = Saga.objects.using("default").filter(definition=definition, business_key__in=business_keys)
    return {key: SagaStatus(status) for key, status in rows.values_list("business_key", "status")}


def next_due_of(business_key: UUID) -> datetime | None:
    """Return when the first of the sagas of a business key goes on by itself, None without one."""
    due = Saga.objects.filter(business_key=business_key, due_at__isnull=False)
    return due.order_by("due_at").values_list("due_at", flat=True).first()
