"""What can go wrong around the cache."""

from resilience.errors import Operational


class CacheAwayError(Exception):
    """Redis did not answer, or is not the Redis that this process has met. Never leaves this package."""


class MissesQueuedError(Operational):
    """Too many loads of one kind run already, and nothing kept could stand in; ask again in a moment."""

    code = "cache_misses_queued"


class InvalidationFailedError(Operational):
    """Redis was not told that entries are void; it has to be told again."""

    code = "cache_invalidation_failed"
