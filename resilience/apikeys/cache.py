"""Keys remembered in the process for a moment, so that a request costs no query for its key."""

import time
from collections.abc import Callable

from django.db import InterfaceError, OperationalError

from resilience import pulse
from resilience.apikeys.models import ApiKey
from resilience.routing import replica_state
from resilience.routing.databases import PRIMARY, REPLICA
from resilience.routing.watcher import STATE_AGE_S_MAX

# How long a revoked key may still pass. Doubled, it breaks the promise "refused within 1 s"; halved,
# a busy client costs two queries a second and process instead of one.
KEY_CACHED_S = 0.9
# What a client with many keys can make a process hold: about 1 MB.
KEYS_CACHED_MAX = 1000


class KeyCache:
    """Rows by prefix. Unknown prefixes are not remembered: strangers cannot push out real keys."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._found: dict[str, tuple[float, ApiKey]] = {}

    def find(self, prefix: str) -> ApiKey | None:
        """Return the key with this prefix, at most KEY_CACHED_S old, or None if there is none."""
        now_s = self._monotonic()
        until_s, key = self._found.get(prefix, (now_s, None))
        if key is not None and now_s < until_s:
            return key
        key = _read(prefix)
        if key is not None:
            self._remember(prefix, key, until_s=now_s + KEY_CACHED_S)
        return key

    def forget_all(self) -> None:
        """Ask the database again for every key."""
        self._found.clear()

    def _remember(self, prefix: str, key: ApiKey, *, until_s: float) -> None:
        if len(self._found) >= KEYS_CACHED_MAX:
            self._found.clear()
        self._found[prefix] = (until_s, key)


def _read(prefix: str) -> ApiKey | None:
    """Return the row as the primary has it: a replica that lags would let a revoked key pass.

    While the primary is away nobody can revoke, and nothing could be read for want of a key: then as the
    replica has it, if it was seen to keep up. What that does not know, it does not deny either.
    """
    away_s = pulse.age_s(PRIMARY)
    if away_s is not None and away_s > STATE_AGE_S_MAX and (key := _read_on_replica(prefix)) is not None:
        return key  # a frozen primary would hold who asks it
    try:
        return ApiKey.objects.using(PRIMARY).filter(prefix=prefix).first()
    except (OperationalError, InterfaceError):
        if away_s is None or (key := _read_on_replica(prefix)) is None:
            raise
        return key


def _read_on_replica(prefix: str) -> ApiKey | None:
    if replica_state() is None:
        return None
    try:
        return ApiKey.objects.using(REPLICA).filter(prefix=prefix).first()
    except (OperationalError, InterfaceError):
        return None


known_keys = KeyCache()
