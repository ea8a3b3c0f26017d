"""Resolve a reconciliation exception by a person's word."""

from datetime import datetime
from uuid import UUID

from payments.models import ReconciliationException
from payments.store.exceptions import resolve_by_hand


def resolve_exception(
    exception_id: UUID, *, operator: str, note: str, now: datetime
) -> ReconciliationException:
    """Close the exception with `note`; it is opened again only when one of the two sides changes.

    It changes nothing of the money. Raises ExceptionNotFoundError, ExceptionResolvedError.
    """
    resolve_by_hand(exception_id, operator=operator, note=note, now=now)
    return ReconciliationException.objects.using("default").get(pk=exception_id)
