"""The cache of this process: one contact to Redis, shared by every namespace, begun anew after a fork."""

import os
import threading
from collections.abc import Iterable
from functools import partial

from resilience.caching import source
from resilience.caching.behind import Behind
from resilience.caching.contact import Contact
from resilience.caching.errors import CacheAwayError, InvalidationFailedError
from resilience.caching.loading import Clock
from resilience.caching.namespace import Namespace
from resilience.caching.read_through import ReadThrough
from resilience.caching.store import Store, default_url

_lock = threading.Lock()
_contact: Contact | None = None
_caches: dict[str, ReadThrough] = {}


def cache_of(namespace: Namespace) -> ReadThrough:
    """Return this process's cache of a declared namespace.

    Ask each time instead of keeping it: a forked child has another.
    """
    cache = _caches.get(namespace.name)
    if cache is None:
        with _lock:
            make = partial(ReadThrough, contact=contact, source=source, clock=Clock())
            cache = _caches.setdefault(namespace.name, make(namespace))
    return cache


def contact() -> Contact:
    """Return this process's contact to Redis."""
    global _contact
    if _contact is None:
        with _lock:
            if _contact is None:
                _contact = Contact(
                    store=Store(url=default_url()),
                    behind=Behind(),
                    log_end=source.log_end,
                    timeline=source.newest_timeline,
                )
    return _contact


def void(entries: Iterable[tuple[Namespace, str]]) -> None:
    """Let nobody read from the cache, from now on, what was true of these keys before this call.

    Call it when the change is committed. One round trip to Redis, and one short query to the primary.
    Raises InvalidationFailedError when Redis did not take it: then call it again, until it does, or until
    every value that could be meant has reached its hard end.
    """
    names = []
    for namespace, key in entries:
        cache_of(namespace).forget(key)
        names.append(f"{namespace.name}:{key}")
    reached = contact()
    try:
        if reached.floor() is None and not reached.look():
            raise CacheAwayError("Redis was not met")
        reached.store.void(names, floor=source.log_end())
    except CacheAwayError as error:
        reached.lose(error)
        raise InvalidationFailedError(f"Redis did not void {len(names)} entries.") from error


def begin_anew() -> None:
    """Forget everything: in a forked child, whose parent keeps its sockets and threads; and in tests."""
    global _contact, _lock
    _lock = threading.Lock()
    _contact = None
    _caches.clear()


os.register_at_fork(after_in_child=begin_anew)
