"""Events that this process has read lately, for several subscriptions read the same ones within a moment.

The log is append-only, so what was read once is right for ever. Found by measuring: of what listening costs,
half was fetching and parsing each event again for each subscription.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

ValueT = TypeVar("ValueT")

Place = tuple[int, int, UUID]
"""(xid, position, id) of an event: with its id, for a primary that lost commits may give a place again."""

# Two full batches and what else came meanwhile; some 2 kB each.
EVENTS_MAX = 4096


class Recent(Generic[ValueT]):
    """What was read of places: thread-safe. `fetch` reads those of places from the database, in any order."""

    def __init__(self, *, events_max: int = EVENTS_MAX) -> None:
        self._events_max = events_max
        self._lock = threading.Lock()
        self._events: OrderedDict[Place, ValueT] = OrderedDict()

    def at(
        self, places: Sequence[Place], *, fetch: Callable[[list[Place]], dict[Place, ValueT]]
    ) -> list[ValueT]:
        """Return the events at `places`, in that order; asks for those that nobody read lately.

        Raises LookupError when one is not there.
        """
        with self._lock:
            known = {place: self._events[place] for place in places if place in self._events}
        missing = [place for place in places if place not in known]
        if missing:
            fetched = fetch(missing)
            known |= fetched
            with self._lock:
                self._events |= fetched
                while len(self._events) > self._events_max:
                    self._events.popitem(last=False)
        try:
            return [known[place] for place in places]
        except KeyError as error:
            raise LookupError(f"the log has no event at {error}") from error

    def forget(self) -> None:
        """Begin anew: in a forked child, whose copy of the lock may be held; and in tests."""
        self._lock = threading.Lock()
        self._events = OrderedDict()
