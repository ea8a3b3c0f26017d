"""Who wants to hear of what: declared in a context's `subscriptions.py`, registered at start-up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from resilience.events.declaration import UnknownEventTypeError, event_types
from resilience.events.event import Event
from resilience.retry import RetryPolicy

Handler = Callable[[Sequence[Event]], None]
"""Applies events, in the transaction in which the position advances: all of it or nothing.

It writes to the database only, late and briefly: its transaction holds back what every other
subscription may read from its first write on. Whoever must speak to the outside writes a row here
and speaks from a process of their own.
"""

# A handler that fails five times over about two seconds is wrong, not unlucky; more would make
# everything behind the event wait longer.
_RETRY = RetryPolicy(wait_initial_s=0.2, wait_max_s=2.0, attempts_max=5)
# One commit per batch: much smaller, commits begin to dominate; larger, its transaction holds back others'
# reading for longer, and one that fails repeats more. A handler has 30 s for a batch (positions.py): one that
# waits for somebody at each event wants a smaller one, one that writes a statement for all of them a larger.
_BATCH_SIZE = 250
LARGE_BATCH = 1000
# A byte tells an event's lane: of many more lanes some would have twice the work of others. Each lane reads
# the whole log, and is a thread with a connection in every process that serves it.
_LANES_MAX = 32


@dataclass(frozen=True)
class Subscription:
    """A reader of the log with a position of its own.

    `types` are event type names, every version of each; None is every type. `start` is where a new
    subscription begins. `is_replayable`: its handler may be handed what it has handled, and leaves
    everything as if that were once. After `retry.attempts_max` failures an event becomes a dead letter;
    with `on_poison` "park", later events of its aggregate then wait as dead letters too, in their order,
    until those before them are redelivered; with "skip" they are handled.

    `is_patient`: while orders wait for workers it rests most of the time, so that they have the machine; it
    falls behind then, and catches up. Not for one that changes what a client sees of its orders.

    `lanes` batches are handled at the same time, each of other aggregates: for a handler that waits (for
    Redis, for locks that others seldom hold), and not one whose batches wait for each other.
    """

    name: str
    types: tuple[str, ...] | None
    handle: Handler
    start: Literal["beginning", "now"] = "beginning"
    batch_size: int = _BATCH_SIZE
    retry: RetryPolicy = _RETRY
    is_replayable: bool = False
    on_poison: Literal["skip", "park"] = "skip"
    lanes: int = 1
    is_patient: bool = False

    def __post_init__(self) -> None:
        if self.retry.attempts_max is None:
            raise ValueError(f"subscription {self.name!r} would stop at its first bad event for ever")
        if self.batch_size < 1:
            raise ValueError(f"subscription {self.name!r} has a batch of nothing")
        if not 1 <= self.lanes <= _LANES_MAX:
            raise ValueError(
                f"subscription {self.name!r} has {self.lanes} lanes: 1 to {_LANES_MAX} are possible"
            )


class UnknownSubscriptionError(LookupError):
    """No subscription of this name is registered in this process."""


_subscriptions: dict[str, Subscription] = {}


def subscribe(subscription: Subscription) -> Subscription:
    """Register `subscription` in this process; raises ValueError when its name is taken by another."""
    known = _subscriptions.setdefault(subscription.name, subscription)
    if known is not subscription:
        raise ValueError(f"subscription {subscription.name!r} is registered twice")
    return subscription


def subscription_named(name: str) -> Subscription:
    """Return the subscription; raises UnknownSubscriptionError."""
    try:
        return _subscriptions[name]
    except KeyError:
        raise UnknownSubscriptionError(f"no subscription is named {name!r}") from None


def subscriptions() -> list[Subscription]:
    """Return what is registered, sorted by name."""
    return [_subscriptions[name] for name in sorted(_subscriptions)]


def refuse_unknown_types(subscription: Subscription) -> None:
    """Raise UnknownEventTypeError when it waits for a type that nobody declared: it would wait for ever."""
    declared = {event_type.name for event_type in event_types()}
    if unknown := sorted(set(subscription.types or ()) - declared):
        raise UnknownEventTypeError(f"subscription {subscription.name!r} waits for unknown types {unknown}")
