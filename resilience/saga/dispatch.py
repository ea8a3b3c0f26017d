"""The dispatcher: finds due sagas and rings Celery's bell with their ids.

A ring is only a hint. Lost, it is given again after `AGAIN_AFTER_S`; doubled, the second worker
finds nothing to claim. So the broker may lose, repeat or reorder what it likes.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from resilience.saga import store

logger = logging.getLogger(__name__)

# A hint that led to nothing within this is taken for lost. Halved, a busy queue gets hints twice;
# doubled, sagas stand still longer after Redis lost its memory (the promise is 15 s).
AGAIN_AFTER_S = 5.0
# Sagas per message: enough to share statements and commits, few enough to spread over the workers.
BATCH_MAX = 32
# Spread what is due over this many messages before filling any, so that few sagas wait for nobody.
SPREAD = 4
# Messages that may wait in the queue; more would only be rung again before they are read.
QUEUE_MAX = 24


@dataclass(frozen=True)
class Counts:
    """Sagas hinted at and messages sent in one round."""

    sagas: int = 0
    messages: int = 0


def run_once(
    *, publish: Callable[[Sequence[UUID]], None], queued: Callable[[], int], batch_max: int = BATCH_MAX
) -> Counts:
    """Ring for as many due sagas as the queue has room for.

    `publish` sends one message; `queued` says how many wait unread. Both may raise what the broker
    raises: what was not sent is rung for again later.
    """
    room = QUEUE_MAX - queued()
    if room <= 0:
        return Counts()
    limit = room * batch_max
    ids = store.ring(limit=limit, again_after_s=AGAIN_AFTER_S)
    # As many as there was room for: more are waiting, so that no worker goes without a full message.
    batches = _batches(ids, batch_max, spread=1 if len(ids) == limit else SPREAD)
    for batch in batches:
        publish(batch)
    return Counts(sagas=len(ids), messages=len(batches))


def _batches(ids: Sequence[UUID], batch_max: int, *, spread: int) -> list[Sequence[UUID]]:
    size = max(1, min(batch_max, -(-len(ids) // spread)))
    return [ids[start : start + size] for start in range(0, len(ids), size)]
