"""Loading what the cache does not hold: once, by one reader, for all who ask at the same moment."""

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from resilience.caching.contact import Contact
from resilience.caching.decide import may_stand_in
from resilience.caching.envelope import Envelope, Stamp
from resilience.caching.errors import CacheAwayError, MissesQueuedError
from resilience.caching.lifetime import Lifetime
from resilience.caching.local import Copies, Flight, Flights, Turns
from resilience.caching.namespace import Namespace
from resilience.caching.source import FAILURES, Load, Loaded, Reading

# That a value must not be kept is remembered for this long: then somebody looks whether it still is so, and
# readers who come meanwhile need not take turns.
_PASSING = Lifetime(soft_s=2.0, grace_s=2.0, hard_s=2.0)

Answer = TypeVar("Answer", bound=Envelope | None)


class Source(Protocol):
    """How values are read; the module `resilience.caching.source` is one."""

    def demand(self) -> Stamp | None:
        """Return what a value must have seen here, None where no cache may answer."""

    def read(self, load: Load, *, needed: Stamp) -> Reading:
        """Load from a server that has seen `needed`."""

    def read_lagging(self, load: Load) -> Loaded | None:
        """Load as one would without a cache, where that may work although `read` failed."""


@dataclass(frozen=True)
class Clock:
    """Time and chance, as one thing that tests can replace."""

    now: Callable[[], float] = time.time
    # In (0, 1]: its logarithm is taken.
    chance: Callable[[], float] = lambda: 1.0 - random.random()


@dataclass(frozen=True)
class Asked:
    """A key as it was found, how to load it, and what its value must have seen."""

    key: str
    load: Load
    needed: Stamp
    envelope: Envelope | None = None
    facts: bytes = b""
    lease: bytes | None = None


class Loader:
    """The loads of one namespace in this process. Threads share it."""

    def __init__(
        self, namespace: Namespace, *, contact: Callable[[], Contact], source: Source, clock: Clock
    ) -> None:
        self._namespace = namespace
        self._contact = contact
        self._source = source
        self._clock = clock
        self._flights = Flights()
        self._turns = Turns(misses_max=namespace.misses_max)
        self.copies = Copies(entries_max=namespace.local_entries_max)

    def once_for_all(self, asked: Asked) -> Envelope | None:
        """Load under the lease and keep the value; None when somebody else is loading."""
        return self._rescued(asked, lambda: self._take_turn(asked))

    def for_oneself(self, asked: Asked) -> Envelope:
        """Load without a lease, since its holder takes too long; the value is kept nowhere."""

        def load() -> Envelope:
            with self._turns.one():
                return self._read(asked.load, asked.needed)

        return self._rescued(asked, load)

    def behind(self, asked: Asked) -> None:
        """Refresh what is being served, unless somebody does or there is enough to do.

        A failure leaves the lease to its end: a source that fails is tried once a lease, not once a read.
        """
        # Not older than what is there already, else a lagging replica could set it back.
        needed = asked.needed if asked.envelope is None else max(asked.needed, asked.envelope.stamp)
        try:
            with self._turns.one(wait=False):
                self._load_leased(asked, needed=needed, is_waited_for=False)
        except FAILURES:
            return

    def by_somebody(self, asked: Asked, *, wait_s: float) -> Envelope | None:
        """Wait for a load that is under way; None when it is not known yet how it ended.

        Joins only a load of this process whose lease was found to hold after the reader had begun: whatever
        was voided before that, this load began later.
        """
        flight = self._flights.get(asked.key)
        if flight is None or flight.token != asked.lease:
            time.sleep(wait_s)
            return None
        return self._rescued(asked, lambda: self._land(flight, asked, wait_s=self._namespace.lease_s))

    def without_redis(self, asked: Asked) -> Envelope:
        """Load once for all readers of this process; the others wait, unless a copy is within its grace."""
        flight, is_mine = self._flights.begin_or_join(asked.key, needed=asked.needed)
        if is_mine:
            return self._rescued(asked, lambda: self._fly_alone(asked, flight))
        envelope = self._stand_in(asked)
        if envelope is not None and self._clock.now() < envelope.grace:
            return envelope
        landed = self._rescued(asked, lambda: self._land(flight, asked, wait_s=2 * self._namespace.lease_s))
        return landed or self._stand_in(asked) or self.for_oneself(asked)

    def _take_turn(self, asked: Asked) -> Envelope | None:
        # The turn comes before the lease: a lease that waits for a turn would keep other processes waiting.
        with self._turns.one():
            return self._load_leased(asked, needed=asked.needed, is_waited_for=True)

    def _load_leased(self, asked: Asked, *, needed: Stamp, is_waited_for: bool) -> Envelope | None:
        contact, name, token = self._contact(), self._name(asked.key), secrets.token_bytes(12)
        try:
            grant = contact.store.lease(name, token=token, lease_s=self._namespace.lease_s, seen=asked.facts)
        except CacheAwayError as error:
            contact.lose(error)
            return None
        if not grant.is_granted:
            return None
        flight = self._flights.begin(asked.key, token=token, needed=max(needed, grant.floor))
        try:
            envelope = self._fly(asked, flight)
            self._keep(contact, asked.key, envelope, token)
        except Exception:
            if is_waited_for:
                _quietly(contact, lambda: contact.store.release(name, token=token))
            raise
        finally:
            self._flights.end(asked.key, flight)
        return envelope

    def _fly_alone(self, asked: Asked, flight: Flight) -> Envelope:
        try:
            with self._turns.one(wait=self._stand_in(asked) is None):
                envelope = self._fly(asked, flight)
        except Exception as error:
            flight.error = error
            raise
        finally:
            self._flights.end(asked.key, flight)
        self._copy(asked.key, envelope)
        return envelope

    def _fly(self, asked: Asked, flight: Flight) -> Envelope:
        try:
            flight.envelope = self._read(asked.load, flight.needed)
        except Exception as error:
            flight.error = error
            raise
        return flight.envelope

    def _land(self, flight: Flight, asked: Asked, *, wait_s: float) -> Envelope | None:
        flight.landed.wait(wait_s)
        if flight.error is not None:
            raise flight.error
        envelope = flight.envelope
        return envelope if envelope is not None and envelope.stamp >= asked.needed else None

    def _read(self, load: Load, needed: Stamp) -> Envelope:
        began = time.perf_counter()
        reading = self._source.read(load, needed=needed)
        return self._sealed(reading, cost_s=time.perf_counter() - began)

    def _sealed(self, reading: Reading, *, cost_s: float) -> Envelope:
        now, loaded = self._clock.now(), reading.loaded
        kept = (loaded.lifetime or _PASSING).jittered(chance=self._clock.chance())
        return Envelope(
            body=loaded.body,
            created=now,
            cost_s=cost_s,
            soft=now + kept.soft_s,
            grace=now + kept.grace_s,
            hard=now + kept.hard_s,
            version=self._namespace.version,
            stamp=reading.stamp,
            passes=loaded.lifetime is None,
        )

    def _keep(self, contact: Contact, key: str, envelope: Envelope, token: bytes) -> None:
        name, now = self._name(key), self._clock.now()
        if envelope.passes and envelope.is_negative:
            # Not even noted: there is no end of what does not exist.
            _quietly(contact, lambda: contact.store.release(name, token=token))
        elif _quietly(contact, lambda: contact.store.keep(name, envelope, token=token, now=now)):
            self._copy(key, envelope)

    def _copy(self, key: str, envelope: Envelope) -> None:
        if not envelope.passes:
            self.copies.put(key, envelope, now=self._clock.now())

    def _rescued(self, asked: Asked, load: Callable[[], Answer]) -> Answer | Envelope:
        """Return what `load` does; when it fails, what may stand in for it."""
        try:
            return load()
        except FAILURES as error:
            if (envelope := self._stand_in(asked)) is not None:
                return envelope
            lagging = None if isinstance(error, MissesQueuedError) else self._source.read_lagging(asked.load)
            if lagging is None:
                raise
            return self._sealed(Reading(Loaded(lagging.body, None), asked.needed), cost_s=0.0)

    def _stand_in(self, asked: Asked) -> Envelope | None:
        now, version = self._clock.now(), self._namespace.version
        may = may_stand_in(asked.envelope, needed=asked.needed, version=version, now=now)
        return asked.envelope if may else None

    def _name(self, key: str) -> str:
        return f"{self._namespace.name}:{key}"


def _quietly(contact: Contact, command: Callable[[], object]) -> object:
    """Carry out what only saves work; a Redis that is away is noted."""
    try:
        return command()
    except CacheAwayError as error:
        contact.lose(error)
        return None
