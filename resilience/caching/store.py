"""The cache in Redis: one hash per entry, changed by scripts, so that each change is all or nothing.

Fields: `m` facts and `b` body of the value, `f` the stamp that a value must have, `l` the lease's token
and `u` its end (milliseconds of Redis's own clock: the only clock that all processes share).

Why no stale value is ever stored: a load begins after its lease was granted, an invalidation takes the
lease away, and a value is kept only under the lease that it was loaded under. So whatever is kept was
loaded after the last invalidation. A lost lease (expiry, FLUSHALL, eviction, a restart) keeps nothing. ∎
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from resilience.caching.envelope import Envelope, Stamp, envelope_of, stamp_of_text
from resilience.caching.errors import CacheAwayError

PREFIX = "hf:cache:"
# What every value must have seen; set by whoever first meets a Redis that was emptied.
GROUND = "hf:cache-ground"
# A hit takes 0.2 ms. Doubled, whoever meets a dead Redis waits twice as long; halved, a busy second looks
# like a death.
TIMEOUT_S = 0.1
# An entry's stamp is kept for this long, since a replica may be used at up to 30 s of lag
# (resilience/routing/watcher.py): until then it could be read into the cache as it was before.
STAMP_KEPT_S = 60

_FIND = """
local h = redis.call('HMGET', KEYS[1], 'm', 'b', 'f', 'l', 'u')
if h[5] then
  local t = redis.call('TIME')
  if tonumber(h[5]) <= t[1] * 1000 + t[2] / 1000 then h[4] = false end
end
return {h[1], h[2], h[3], h[4], redis.call('GET', KEYS[2])}
"""
# Refused when the entry is another than the one seen: somebody has just refreshed it.
_LEASE = """
local h = redis.call('HMGET', KEYS[1], 'm', 'l', 'u', 'f')
if (h[1] or '') ~= ARGV[3] then return {0, h[4]} end
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
if h[2] and tonumber(h[3]) > now then return {0, h[4]} end
redis.call('HSET', KEYS[1], 'l', ARGV[1], 'u', now + ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return {1, h[4]}
"""
_KEEP = """
if redis.call('HGET', KEYS[1], 'l') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'm', ARGV[2], 'b', ARGV[3])
redis.call('HDEL', KEYS[1], 'l', 'u')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""
_RELEASE = """
if redis.call('HGET', KEYS[1], 'l') == ARGV[1] then redis.call('HDEL', KEYS[1], 'l', 'u') end
"""
_VOID = """
for _, key in ipairs(KEYS) do
  redis.call('HDEL', key, 'm', 'b', 'l', 'u')
  local f = redis.call('HGET', key, 'f')
  if not f or f < ARGV[1] then redis.call('HSET', key, 'f', ARGV[1]) end
  redis.call('PEXPIRE', key, ARGV[2])
end
"""


@dataclass(frozen=True)
class Found:
    """What Redis holds under a key. `floor`: what a value must have seen; `lease`: who is loading it."""

    envelope: Envelope | None
    facts: bytes
    floor: Stamp
    lease: bytes | None


@dataclass(frozen=True)
class Grant:
    """An answer to a request for the lease, with the floor at that moment."""

    is_granted: bool
    floor: Stamp


NO_FLOOR = Stamp(0, 0)


class Store:
    """Redis with a short time limit and no retry. Every method raises CacheAwayError when it is away."""

    def __init__(self, *, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._server: str | None = None
        self._pool = ConnectionPool.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            redis_connect_func=self._meet_server,
        )
        self._redis = Redis(connection_pool=self._pool)
        self._find, self._lease, self._keep, self._release, self._void = (
            self._redis.register_script(text) for text in (_FIND, _LEASE, _KEEP, _RELEASE, _VOID)
        )

    def find(self, key: str) -> Found:
        """Return what is kept under `key`: the one round trip of a hit."""
        facts, body, floor, lease, ground = self._run(self._find, [PREFIX + key, GROUND], [])
        if ground is None:
            raise CacheAwayError("Redis was emptied")
        least = max(_stamp(ground), _stamp(floor))
        envelope = None if facts is None else envelope_of(facts, body)
        return Found(envelope=envelope, facts=facts or b"", floor=least, lease=lease)

    def lease(self, key: str, *, token: bytes, lease_s: float, seen: bytes) -> Grant:
        """Ask to be the one who loads `key`, whose facts were `seen` (b"": none)."""
        arguments = [token, round(lease_s * 1000), seen, STAMP_KEPT_S * 1000]
        granted, floor = self._run(self._lease, [PREFIX + key], arguments)
        return Grant(is_granted=bool(granted), floor=_stamp(floor))

    def keep(self, key: str, envelope: Envelope, *, token: bytes, now: float) -> bool:
        """Keep a value that was loaded under the lease `token`; tell whether the lease still held."""
        kept_ms = round(max(envelope.hard - now, STAMP_KEPT_S) * 1000)
        body = b"" if envelope.passes else envelope.body or b""
        arguments = [token, envelope.facts(), body, kept_ms]
        return bool(self._run(self._keep, [PREFIX + key], arguments))

    def release(self, key: str, *, token: bytes) -> None:
        """Give the lease back without a value."""
        self._run(self._release, [PREFIX + key], [token])

    def void(self, keys: Sequence[str], *, floor: Stamp) -> None:
        """Remove these values and whatever is being loaded; what comes next must have seen `floor`."""
        if keys:
            self._run(self._void, [PREFIX + key for key in keys], [floor.to_text(), STAMP_KEPT_S * 1000])

    def meet(self) -> None:
        """Get to know the Redis that answers now: no other is spoken to until the next meeting."""
        self._pool.disconnect(inuse_connections=False)
        self._server = None
        with _away():
            self._redis.ping()

    def lay(self, *, ground: Stamp) -> None:
        """Lay the ground in the Redis that was met, if it has none."""
        with _away():
            self._redis.set(GROUND, ground.to_text(), nx=True)

    def _run(self, script: Any, keys: list[str], arguments: list[Any]) -> Any:
        with _away():
            return script(keys=keys, args=arguments)

    def _meet_server(self, connection: Any) -> None:
        """Let no connection in that leads to another Redis than the others do (redis-py calls this).

        redis-py replaces a connection that was closed without a word, also after a restart that has
        brought back what was voided in the last second (appendfsync everysec).
        """
        connection.on_connect()
        connection.send_command("INFO", "server")
        server = _run_id(connection.read_response())
        if self._server is None:
            self._server = server
        elif self._server != server:
            raise RedisError("another Redis than before answers")


def default_url() -> str:
    """Return the address of the cache, as django-redis has it."""
    return str(settings.CACHES["default"]["LOCATION"])


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise CacheAwayError(str(error)) from error


def _run_id(answer: Any) -> str:
    text = answer.decode() if isinstance(answer, bytes) else str(answer)
    return next((line for line in text.splitlines() if line.startswith("run_id:")), text)


def _stamp(text: bytes | None) -> Stamp:
    return NO_FLOOR if text is None else stamp_of_text(text.decode())
