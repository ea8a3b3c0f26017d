"""Starting a saga and asking it to turn round, inside the transaction of the fact that wants it."""

from datetime import datetime
from uuid import UUID

from resilience.saga import store
from resilience.saga.definition import SagaDefinition


def start(definition: SagaDefinition, *, business_key: UUID, data: dict[str, object], now: datetime) -> bool:
    """Start `definition` for `business_key`, due at once; return False when it was started before.

    Call it inside `atomic`, with the row it is about: either both are there or neither.
    """
    return store.insert(
        store.Start(
            definition=definition.name,
            version=definition.version,
            business_key=business_key,
            data=data,
            due_at=now,
            deadline_at=now + definition.lasts_at_most,
        ),
        now=now,
    )


def request_abort(definition: SagaDefinition, *, business_key: UUID) -> bool:
    """Ask the saga of `business_key` to compensate before its pivot.

    Returns False when there is none or it has ended. True is no promise: past the pivot it goes on
    forward, and a parked one turns round when an operator lets it go on.
    """
    return store.request_abort(definition=definition.name, business_key=business_key)
