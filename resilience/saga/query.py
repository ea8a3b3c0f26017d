"""Questions about sagas that other sagas and screens ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Min, QuerySet

from resilience.saga.models import Saga
from resilience.saga.states import SagaStatus


@dataclass(frozen=True)
class OpenSaga:
    """A saga that has not ended. `parked_from`: None unless parked; `is_due`: it goes on by itself."""

    id: UUID
    definition: str
    version: int
    business_key: UUID
    status: SagaStatus
    parked_from: SagaStatus | None
    is_due: bool


def keys_of_open_sagas() -> QuerySet[Saga, UUID]:
    """Return the business keys of all sagas that have not ended, as a subquery of somebody else's question.

    Due or parked is the same (constraints of the table); as two questions, each is answered by an index that
    has none of those that ended.
    """
    keys = Saga.objects.using("default").order_by().values_list("business_key", flat=True)
    return keys.filter(due_at__isnull=False).union(keys.filter(status=SagaStatus.PARKED), all=True)


def open_sagas_of(business_keys: Sequence[UUID]) -> list[OpenSaga]:
    """Return the sagas of these business keys that have not ended, as the primary knows them."""
    rows = Saga.objects.using("default").filter(business_key__in=business_keys, ended_at__isnull=True)
    return [
        OpenSaga(
            row.pk,
            row.definition,
            row.version,
            row.business_key,
            SagaStatus(row.status),
            SagaStatus(row.parked_from) if row.parked_from else None,
            row.due_at is not None,
        )
        for row in rows.order_by("pk").defer("data", "reason", "parked_reason")
    ]


def statuses_of(definition: str, *, business_keys: Sequence[UUID]) -> dict[UUID, SagaStatus]:
    """Return the status of the saga of each business key; keys without one are left out."""
    rows = Saga.objects.using("default").filter(definition=definition, business_key__in=business_keys)
    return {key: SagaStatus(status) for key, status in rows.values_list("business_key", "status")}


def next_dues_of(business_keys: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return when the first saga of each business key goes on by itself; keys without one are left out."""
    due = Saga.objects.filter(business_key__in=business_keys, due_at__isnull=False)
    return dict(due.values_list("business_key").annotate(first=Min("due_at")).order_by())
