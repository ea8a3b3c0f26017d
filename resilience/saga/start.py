"""Starting a saga, asking it to turn round or to look again: in the transaction of the fact behind it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from resilience.saga import store
from resilience.saga.definition import SagaDefinition


def start(
    definition: SagaDefinition,
    *,
    business_key: UUID,
    data: dict[str, object],
    now: datetime,
    lasts_at_most: timedelta | None = None,
) -> bool:
    """Start `definition` for `business_key`, due at once; return False when it was started before.

    Call it inside `atomic`, with the row it is about: either both are there or neither.
    `lasts_at_most` is for a run that needs longer than others of its definition.
    """
    return store.insert(
        store.Start(
            definition=definition.name,
            version=definition.version,
            business_key=business_key,
            data=data,
            due_at=now,
            deadline_at=now + (lasts_at_most or definition.lasts_at_most),
        ),
        now=now,
    )


def request_abort(definition: SagaDefinition, *, business_key: UUID) -> bool:
    """Ask the saga of `business_key` to compensate before its pivot.

    Returns False when there is none or it has ended. True is no promise: past the pivot it goes on
    forward, and a parked one turns round when an operator lets it go on.
    """
    return store.request_abort(definition=definition.name, business_key=business_key)


def signal(*, business_keys: Sequence[UUID]) -> set[UUID]:
    """Let the sagas of `business_keys` look again at once at what they wait for; return the keys with one.

    Only a hint that there is something to see: a saga that is not told looks again by itself. One that is
    just looking looks once more afterwards, so that a signal is never lost between its question and its note.
    """
    return store.signal(business_keys) if business_keys else set()
