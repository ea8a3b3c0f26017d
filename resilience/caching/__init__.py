"""A read-through cache that loses nothing but speed when it is lost, and never serves what was voided.

The danger: a value that was read before a write is stored after the write's invalidation, and stays;
or everybody recomputes at the same moment what has just expired. docs/caching.md has the promises.
"""

from resilience.caching.decide import Decision, decide, may_stand_in
from resilience.caching.envelope import Envelope, Stamp
from resilience.caching.errors import InvalidationFailedError, MissesQueuedError
from resilience.caching.lifetime import Lifetime
from resilience.caching.namespace import Namespace, declare, declared
from resilience.caching.process import cache_of, contact, void
from resilience.caching.read_through import ReadThrough
from resilience.caching.source import Load, Loaded

__all__ = [
    "Decision",
    "Envelope",
    "InvalidationFailedError",
    "Lifetime",
    "Load",
    "Loaded",
    "MissesQueuedError",
    "Namespace",
    "ReadThrough",
    "Stamp",
    "cache_of",
    "contact",
    "decide",
    "declare",
    "declared",
    "may_stand_in",
    "void",
]
