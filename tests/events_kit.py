"""What the tests of the event log share: a fact, an effect table, and a second connection."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from threading import Event as Signal
from threading import Thread
from typing import TypeVar
from uuid import UUID

from django.db import connection, transaction

from resilience import clock
from resilience.events import Counts, Event, Fact, Handler, Subscription, append, event_type, run_once, serve
from resilience.ids import new_id
from resilience.retry import RetryPolicy

Result = TypeVar("Result")

# No waiting between attempts: what is tested is their number.
AT_ONCE = RetryPolicy(wait_initial_s=0.0, wait_max_s=0.0, attempts_max=3)


@event_type("test.happened", version=1, aggregate="test")
@dataclass(frozen=True)
class Happened:
    number: int


@event_type("test.ignored", version=1, aggregate="test")
@dataclass(frozen=True)
class Ignored:
    number: int


def publish(*facts: tuple[UUID, int]) -> None:
    """Append `Happened` facts (aggregate id, number) to the running transaction."""
    append([Fact(aggregate, Happened(number)) for aggregate, number in facts], occurred_at=clock.now())


def publish_committed(*facts: tuple[UUID, int]) -> None:
    with transaction.atomic():
        publish(*facts)


def subscription(name: str, handle: Handler, **options: object) -> Subscription:
    """A subscription to `Happened`, not registered."""
    return Subscription(name, ("test.happened",), handle, **{"retry": AT_ONCE, **options})  # type: ignore[arg-type]


def run_until_idle(reader: Subscription) -> Counts:
    """Run all lanes of `reader` in turn until nothing is left that it may read."""
    total = Counts()
    for _run in range(1000):
        counts = sum((run_once(reader, share=share) for share in range(reader.lanes)), Counts())
        if counts.idle:
            return total
        total += counts
    raise AssertionError("The subscription never came to rest.")


@contextmanager
def serving(*served: Subscription) -> Iterator[None]:
    """Serve subscriptions as their process does, until the block ends."""
    stop = Signal()
    process = Thread(target=lambda: serve(served, stop=stop, random=Random(1)), daemon=True)
    process.start()
    try:
        yield
    finally:
        stop.set()
        process.join(20)
        assert not process.is_alive()


def lane_of(aggregate_id: UUID, lanes: int) -> int:
    """The lane of an aggregate of type "test", reckoned apart from the code that is tested."""
    return sha256(b"test" + aggregate_id.bytes).digest()[0] % lanes


def aggregate_in(lane: int, lanes: int) -> UUID:
    """A new aggregate of that lane."""
    return next(found for found in iter(new_id, None) if lane_of(found, lanes) == lane)


def numbers(events: Sequence[Event]) -> list[object]:
    return [event.data["number"] for event in events]


def wait_until(condition: Callable[[], bool], *, limit_s: float = 20.0) -> None:
    """Poll `condition` until it holds; fail the test after `limit_s`."""
    limit = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < limit, "The condition was not met in time."
        time.sleep(0.01)


def create_effects() -> None:
    """A table that takes an event any number of times, so that an effect applied twice would show."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS test_effect")
        cursor.execute(
            "CREATE TABLE test_effect (ordinal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
            "event_id uuid, aggregate_id uuid, sequence bigint, process_id int)"
        )


def drop_effects() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE test_effect")


def apply_effects(events: Sequence[Event], *, process_id: int = 0) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO test_effect (event_id, aggregate_id, sequence, process_id) VALUES (%s, %s, %s, %s)",
            [(event.id, event.aggregate_id, event.sequence, process_id) for event in events],
        )


def rows(query: str, *parameters: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


class Elsewhere:
    """A thread with a database connection of its own, on which a transaction can be held open."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._atomic: transaction.Atomic | None = None

    def do(self, work: Callable[[], Result]) -> Result:
        return self._thread.submit(work).result(timeout=20)

    def begin(self) -> int:
        """Open a transaction and give it an id, as a first write would; return that id."""
        return self.do(self._begin)

    def commit(self) -> None:
        self.do(lambda: self._end(None))

    def rollback(self) -> None:
        self.do(lambda: self._end(RuntimeError("rolled back by the test")))

    def close(self) -> None:
        if self._atomic is not None:
            self.rollback()
        self.do(lambda: connection.close())  # looked up there: connections belong to threads
        self._thread.shutdown()

    def _begin(self) -> int:
        self._atomic = transaction.atomic()
        self._atomic.__enter__()
        return int(rows("SELECT pg_current_xact_id()::text")[0][0])

    def _end(self, error: Exception | None) -> None:
        atomic, self._atomic = self._atomic, None
        atomic.__exit__(type(error) if error else None, error, None)


@contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    other = Elsewhere()
    try:
        yield other
    finally:
        other.close()
