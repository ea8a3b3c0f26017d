"""Writing a deed down, in the transaction in which it is done."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from resilience.audit_trail.models import StaffAction
from resilience.errors import Refusal
from resilience.routing.databases import PRIMARY


class DeedWithoutReasonError(Refusal):
    """Nobody said why."""

    code = "deed_without_reason"


class DeedDoneBeforeError(Refusal):
    """The same form was sent again; what it asked for is done."""

    code = "deed_done_before"


@dataclass(frozen=True)
class Deed:
    """Who did what to what, why, and when; `once` names the form that asked for it."""

    action: str
    subject: str
    by: str
    reason: str
    now: datetime
    once: UUID | None = None


def keep(deed: Deed, *, outcome: str) -> None:
    """Write it down, with what came of it. Raises DeedWithoutReasonError, DeedDoneBeforeError."""
    if not deed.reason.strip():
        raise DeedWithoutReasonError("Say why; whoever looks at it later has only that.")
    try:
        # A savepoint: whoever sent the form twice at once waits here for the first, and is told.
        with transaction.atomic(using=PRIMARY):
            StaffAction.objects.using(PRIMARY).create(
                action=deed.action,
                subject=deed.subject,
                by=deed.by,
                reason=deed.reason,
                outcome=outcome,
                at=deed.now,
                once=deed.once,
            )
    except IntegrityError as error:
        raise DeedDoneBeforeError("It was done already: the same form was sent twice.") from error
