"""Reading through the cache: answer from it, refresh it behind the reader, or load once for all who ask."""

from collections.abc import Callable

from resilience.caching.contact import Contact
from resilience.caching.decide import Decision, decide, is_usable
from resilience.caching.envelope import Envelope, Stamp
from resilience.caching.errors import CacheAwayError
from resilience.caching.loading import Asked, Clock, Loader, Source
from resilience.caching.namespace import Namespace
from resilience.caching.source import Load
from resilience.telemetry import counter

# Without Redis nobody is told of changes, so a process's own copy is fresh for this long only; older, it
# stands in when the database fails or is asked by too many.
ALONE_FRESH_S = 1.0
# Between looks at what somebody else is loading. A load of some milliseconds is over at the first.
_PAUSE_FIRST_S = 0.004
_PAUSE_MAX_S = 0.03

_MISSES = frozenset({Decision.MISS, Decision.WAIT, Decision.BYPASS})


class ReadThrough:
    """The cache of one namespace in this process. Threads share it."""

    def __init__(
        self, namespace: Namespace, *, contact: Callable[[], Contact], source: Source, clock: Clock
    ) -> None:
        self.namespace = namespace
        self._contact = contact
        self._source = source
        self._clock = clock
        self._loader = Loader(namespace, contact=contact, source=source, clock=clock)

    def get(self, key: str, load: Load) -> bytes | None:
        """Return the value of `key`, from the cache or from `load`; None when the source has none.

        Where no cache may answer (in a transaction, in a scope that stays with the primary) it just loads.
        Raises what `load` raises when nothing may stand in, and MissesQueuedError when too many load.
        """
        demanded = self._source.demand()
        if demanded is None:
            return load().body
        waits_until = self._clock.now() + 2 * self.namespace.lease_s
        pause_s = _PAUSE_FIRST_S
        while True:
            asked = self._ask(key, load, demanded)
            if asked is None:
                self._count("without_redis")
                return self._get_alone(key, load, demanded).body
            envelope = self._answer(asked, pause_s=pause_s, is_late=self._clock.now() >= waits_until)
            if envelope is not None:
                return envelope.body
            pause_s = min(2 * pause_s, _PAUSE_MAX_S)

    def peek(self, key: str, load: Load) -> Envelope | None:
        """Return what can be served at once; None when it would have to be loaded or waited for.

        `load` is for a refresh behind the reader's back.
        """
        demanded = self._source.demand()
        asked = None if demanded is None else self._ask(key, load, demanded)
        if asked is None:
            return None
        decision = self._decide(asked)
        envelope = self._serve(asked, decision)
        if envelope is not None:
            self._count(decision)
        return envelope

    def forget(self, key: str) -> None:
        """Drop this process's own copy."""
        self._loader.copies.drop(key)

    def _ask(self, key: str, load: Load, demanded: Stamp) -> Asked | None:
        """Return what is found under `key`, in the one round trip of a hit; None while Redis is away."""
        contact = self._contact()
        floor = contact.floor()
        if floor is None:
            return None
        needed = max(floor, demanded)
        if (young := self._young_copy(key, load, needed)) is not None:
            return young
        try:
            found = contact.store.find(f"{self.namespace.name}:{key}")
        except CacheAwayError as error:
            contact.lose(error)
            return None
        self._remember(key, found.envelope, believed_from=max(floor, found.floor))
        return Asked(key, load, max(needed, found.floor), found.envelope, found.facts, found.lease)

    def _remember(self, key: str, envelope: Envelope | None, *, believed_from: Stamp) -> None:
        """Keep a copy of what may be believed, and none of what this process knows to be void."""
        version = self.namespace.version
        if envelope is None or not is_usable(envelope, needed=believed_from, version=version):
            self._loader.copies.drop_older(key, than=believed_from)
        elif envelope.passes:
            self._loader.copies.drop_older(key, than=envelope.stamp)
        else:
            self._loader.copies.put(key, envelope, now=self._clock.now())

    def _young_copy(self, key: str, load: Load, needed: Stamp) -> Asked | None:
        if not self.namespace.local_s or (copy := self._loader.copies.get(key)) is None:
            return None
        asked = Asked(key, load, needed, copy[1])
        is_young = self._clock.now() - copy[0] < self.namespace.local_s
        return asked if is_young and self._decide(asked) in {Decision.FRESH, Decision.EARLY} else None

    def _decide(self, asked: Asked) -> Decision:
        return decide(
            asked.envelope,
            is_leased=asked.lease is not None,
            needed=asked.needed,
            version=self.namespace.version,
            now=self._clock.now(),
            chance=self._clock.chance(),
        )

    def _answer(self, asked: Asked, *, pause_s: float, is_late: bool) -> Envelope | None:
        """Return the value; None when it has to be asked for again."""
        decision = self._decide(asked)
        if decision is not Decision.WAIT or is_late:
            self._count(decision)
        if decision not in _MISSES:
            return self._serve(asked, decision)
        if is_late or decision == Decision.BYPASS:
            return self._loader.for_oneself(asked)
        if decision == Decision.MISS:
            return self._loader.once_for_all(asked)
        return self._loader.by_somebody(asked, wait_s=pause_s)

    def _count(self, outcome: str) -> None:
        counter("cache_reads_total", cache=self.namespace.name, outcome=str(outcome)).add(1)

    def _serve(self, asked: Asked, decision: Decision) -> Envelope | None:
        if decision in _MISSES:
            return None
        # A copy of this process's own has no facts: its refresh is asked for when Redis was.
        if decision in {Decision.EARLY, Decision.STALE} and asked.facts:
            name = f"{self.namespace.name}:{asked.key}"
            self._contact().behind.submit(name, lambda: self._loader.behind(asked))
        return asked.envelope

    def _get_alone(self, key: str, load: Load, demanded: Stamp) -> Envelope:
        """Answer without Redis: from an own copy that is a moment old, else by loading."""
        copy = self._loader.copies.get(key)
        asked = Asked(key, load, demanded, None if copy is None else copy[1])
        is_young = copy is not None and self._clock.now() - copy[0] < ALONE_FRESH_S
        if asked.envelope is not None and is_young and self._decide(asked) not in _MISSES:
            return asked.envelope
        return self._loader.without_redis(asked)
