"""Nothing stale after an invalidation, whoever races; and the race would see it."""

import pytest
from redis import Redis

from benchmarks.cache_race import PATIENT_S, race
from resilience.caching.envelope import Envelope
from resilience.caching.store import PREFIX, Store


class Unfenced(Store):
    """Keeps whatever was loaded, as every cache-aside without leases does."""

    def keep(self, key: str, envelope: Envelope, *, token: bytes, now: float) -> bool:
        self._redis.hset(PREFIX + key, mapping={"m": envelope.facts(), "b": envelope.body or b""})
        self._redis.hdel(PREFIX + key, "l", "u")
        return True


@pytest.fixture
def url(redis_url: str) -> str:
    address = f"{redis_url}/6"
    Redis.from_url(address).flushdb()
    return address


def test_no_reader_gets_what_was_void_before_it_asked(url: str) -> None:
    result = race(url=url, races=2000, limit_s=60)

    assert result.stale == 0
    # On a machine that does much else it gets no further than this.
    assert result.races >= 200
    assert result.reads > result.loads


def test_the_race_sees_a_cache_without_leases(url: str) -> None:
    result = race(
        url=url, races=2000, limit_s=60, make_store=lambda url: Unfenced(url=url, timeout_s=PATIENT_S)
    )

    assert result.stale > 0
