"""What a person may do to a breaker: force a state upon it for a time, or let it go.

The danger: a hand that is forgotten. A forced state names who and why, and ends by itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from resilience.breaker.models import BreakerOverride, BreakerOverrideChange
from resilience.breaker.states import Force
from resilience.errors import Refusal

# Longer than this it is a configuration, and belongs there.
LASTS_AT_MOST = timedelta(days=7)


class BreakerNotForcedError(Refusal):
    """There is nothing to let go of."""

    code = "breaker_not_forced"


class ForcedTooLongError(Refusal):
    """A forced state has to end, and soon."""

    code = "breaker_forced_too_long"


@dataclass(frozen=True)
class Instruction:
    """Who wants something done to which breaker, why, and when."""

    breaker: str
    operator: str
    reason: str
    now: datetime


def force(instruction: Instruction, *, state: Force, until: datetime) -> None:
    """Force `state` upon a breaker in every process until `until`, instead of what was forced before.

    Raises ForcedTooLongError.
    """
    if not instruction.now < until <= instruction.now + LASTS_AT_MOST:
        raise ForcedTooLongError(f"A forced state ends within {LASTS_AT_MOST.days} days, and after now.")
    with transaction.atomic():
        BreakerOverride.objects.update_or_create(
            name=instruction.breaker,
            defaults={
                "state": state,
                "owner": instruction.operator,
                "reason": instruction.reason,
                "until": until,
                "created_at": instruction.now,
            },
        )
        _note(instruction, "force", state=state, until=until)


def release(instruction: Instruction) -> None:
    """Let a breaker decide for itself again. Raises BreakerNotForcedError."""
    with transaction.atomic():
        deleted, _by_model = BreakerOverride.objects.filter(
            name=instruction.breaker, until__gt=instruction.now
        ).delete()
        if not deleted:
            raise BreakerNotForcedError(f"No state is forced upon {instruction.breaker}.")
        _note(instruction, "release")


def _note(instruction: Instruction, action: str, *, state: str = "", until: datetime | None = None) -> None:
    BreakerOverrideChange.objects.create(
        name=instruction.breaker,
        action=action,
        state=state,
        operator=instruction.operator,
        reason=instruction.reason,
        until=until,
        at=instruction.now,
    )
