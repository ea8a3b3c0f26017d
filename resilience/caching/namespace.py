"""A kind of cached value, declared as data: who owns it, its key, its limits and what voids it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

# A load that takes longer than this is given up by those who wait for it, and somebody else loads. It is
# also how long readers wait when the loader was killed. Halved, slow loads run twice; doubled, a death shows.
LEASE_S = 1.0
# Loads at once in one process. With eight web threads it leaves half of them to writes and to hits while
# the cache is cold or away; doubled, a cold cache takes every thread and every connection of the pool.
MISSES_MAX = 4
# What a process remembers by itself, for the time without Redis: about 1 MB of orders.
LOCAL_ENTRIES_MAX = 1000


@dataclass(frozen=True)
class Namespace:
    """Everything that is said about a kind of value.

    `keyed_by` names the parts of the key, in order. `voided_by` names the events that void an entry, and
    `not_told` what may change without any event, so that only time ends it (docs/caching.md).
    `version` is the shape of the value: another version is no entry. `local_s` is for how long a process may
    answer from its own memory without asking Redis, which invalidation does not reach: 0 is never.
    """

    name: str
    owner: str
    keyed_by: tuple[str, ...]
    voided_by: tuple[str, ...]
    not_told: str
    version: int
    local_s: float = 0.0
    lease_s: float = LEASE_S
    misses_max: int = MISSES_MAX
    local_entries_max: int = LOCAL_ENTRIES_MAX

    def key(self, *parts: object) -> str:
        """Return the key of these parts; no two lists of parts have one key. Raises ValueError."""
        if len(parts) != len(self.keyed_by):
            raise ValueError(f"a key of {self.name} is made of {', '.join(self.keyed_by)}")
        return ":".join(quote(str(part), safe="") for part in parts)


_namespaces: dict[str, Namespace] = {}


def declare(namespace: Namespace) -> Namespace:
    """Register `namespace` in this process; raises ValueError when its name is taken by another."""
    known = _namespaces.setdefault(namespace.name, namespace)
    if known != namespace:
        raise ValueError(f"the cache namespace {namespace.name!r} is declared twice")
    return namespace


def declared() -> Sequence[Namespace]:
    """Return every namespace of this process, by name."""
    return [_namespaces[name] for name in sorted(_namespaces)]
