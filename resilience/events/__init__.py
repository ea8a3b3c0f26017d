"""The event log: facts written with the change they tell of, and subscriptions that miss none of them.

A context declares its facts in `events.py` (`@event_type`), publishes with `append` inside its own
transaction, and listens in `subscriptions.py` (`subscribe`). docs/events/README.md has the promises.
"""

from resilience.events.days import Mark, beginning, keep_days
from resilience.events.dead_letters import (
    AlreadyRedeliveredError,
    DeadLetterNotFoundError,
    EarlierLetterWaitsError,
    RedeliveryFailedError,
    redeliver,
)
from resilience.events.declaration import EventType, UnknownEventTypeError, event_type, event_types
from resilience.events.delivery import Counts, run_once
from resilience.events.event import Event
from resilience.events.following import read_after
from resilience.events.lag import Lag, lag
from resilience.events.log import Fact, append
from resilience.events.positions import hold
from resilience.events.reading import Cursor, Found, Page, history_of
from resilience.events.retention import keep_for, told_since
from resilience.events.serving import serve
from resilience.events.subscription import (
    Handler,
    Subscription,
    UnknownSubscriptionError,
    subscribe,
    subscription_named,
    subscriptions,
)

__all__ = [
    "AlreadyRedeliveredError",
    "Counts",
    "Cursor",
    "DeadLetterNotFoundError",
    "EarlierLetterWaitsError",
    "Event",
    "EventType",
    "Fact",
    "Found",
    "Handler",
    "Lag",
    "Mark",
    "Page",
    "RedeliveryFailedError",
    "Subscription",
    "UnknownEventTypeError",
    "UnknownSubscriptionError",
    "append",
    "beginning",
    "event_type",
    "event_types",
    "history_of",
    "hold",
    "keep_days",
    "keep_for",
    "lag",
    "read_after",
    "redeliver",
    "run_once",
    "serve",
    "subscribe",
    "subscription_named",
    "subscriptions",
    "told_since",
]
