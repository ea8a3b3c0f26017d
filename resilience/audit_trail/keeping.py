"""Writing a deed down, in the transaction in which it is done."""

from dataclasses import dataclass
from datetime import datetime

from resilience.audit_trail.models import StaffAction
from resilience.errors import Refusal
from resilience.routing.databases import PRIMARY


class DeedWithoutReasonError(Refusal):
    """Nobody said why."""

    code = "deed_without_reason"


@dataclass(frozen=True)
class Deed:
    """Who did what to what, why, and when."""

    action: str
    subject: str
    by: str
    reason: str
    now: datetime


def keep(deed: Deed, *, outcome: str) -> None:
    """Write it down, with what came of it. Raises DeedWithoutReasonError."""
    if not deed.reason.strip():
        raise DeedWithoutReasonError("Say why; whoever looks at it later has only that.")
    StaffAction.objects.using(PRIMARY).create(
        action=deed.action,
        subject=deed.subject,
        by=deed.by,
        reason=deed.reason,
        outcome=outcome,
        at=deed.now,
    )
