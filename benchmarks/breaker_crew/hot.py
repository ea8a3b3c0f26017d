"""What a call through a closed breaker costs, beside its peers."""

import statistics
import time
from collections.abc import Callable

from benchmarks.tools.row import Row

HOT_US_MAX = 5.0


def hot_path(*, calls: int) -> Row:
    """Compare in turns, so that a busy moment meets all."""
    import pybreaker
    from interlock import CircuitBreaker

    theirs, others = pybreaker.CircuitBreaker(), CircuitBreaker(name="hot")
    contenders: dict[str, Callable[[], None]] = {
        "ours": _ours("bench:hot"),
        "pybreaker": lambda: theirs.call(_nothing),
        "interlock": lambda: others.call(_nothing),
    }
    found = _medians_us(contenders, calls)
    return Row(
        "a call through a closed breaker, median (counted in memory, no network)",
        f"{found['ours']:.2f} µs",
        f"≤ {HOT_US_MAX:g} µs",
        f"pybreaker {found['pybreaker']:.2f} µs, interlock-cb {found['interlock']:.2f} µs (both in memory)",
        found["ours"] <= HOT_US_MAX,
    )


def with_storage() -> Row:
    """The same while the fleet is counted in Redis, as each of them would run in production."""
    import pybreaker
    import redis
    from django.conf import settings
    from interlock import CircuitBreaker
    from interlock.integrations.redis import RedisStorage

    client = redis.Redis.from_url(settings.PULSE_REDIS_URL)
    theirs = pybreaker.CircuitBreaker(
        state_storage=pybreaker.CircuitRedisStorage("closed", client, namespace="hot")
    )
    others = CircuitBreaker(name="hot-shared", storage=RedisStorage(client))
    found = _medians_us(
        {
            "ours": _ours("bench:shared"),
            "pybreaker": lambda: theirs.call(_nothing),
            "interlock": lambda: others.call(_nothing),
        },
        5_000,
    )
    return Row(
        "the same, shared over Redis",
        f"{found['ours']:.2f} µs",
        f"≤ {HOT_US_MAX:g} µs",
        f"pybreaker {found['pybreaker']:.0f} µs, interlock-cb {found['interlock']:.2f} µs",
        found["ours"] <= HOT_US_MAX,
    )


def _ours(name: str) -> Callable[[], None]:
    from resilience.breaker import CallOutcome, breaker

    success = CallOutcome.SUCCESS

    def call() -> None:
        under_way = breaker(name).enter()
        _nothing()
        under_way.done(success, 0.001)

    return call


def _nothing() -> None:
    pass


def _medians_us(contenders: dict[str, Callable[[], None]], calls: int) -> dict[str, float]:
    """Return what a call costs beyond calling nothing, the median over batches."""
    batch = 100
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for call in contenders.values():
        call()
    time.sleep(1)  # the pulse's first beats load what they need
    for _round in range(max(1, calls // batch)):
        for name, call in contenders.items():
            begun_at = time.perf_counter()
            for _ in range(batch):
                call()
            taken[name].append((time.perf_counter() - begun_at) / batch * 1e6)
    return {name: statistics.median(batches) for name, batches in taken.items()}
