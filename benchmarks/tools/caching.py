"""The cache: one hot key beside its peers, 100,000 races, answers over HTTP, and a Redis that freezes."""

import os
import signal
import statistics
from dataclasses import dataclass

from redis import Redis

from benchmarks import hot_key
from benchmarks.cache_race import race
from benchmarks.hot_key import COST_S, PROCESSES, THREADS, TTL_S, read_hot
from benchmarks.reading_web import ask, cpu_s, p99_ms, timed, web
from benchmarks.tools.row import Row
from resilience.caching.store import default_url


def measure(*, short: bool) -> list[Row]:
    """Return the rows."""
    return [
        *_hot_key(seconds=20 if short else 60),
        _races(races=2_000 if short else 100_000),
        *_over_http(seconds=1.0 if short else 5.0, rounds=1 if short else 3),
        _frozen_redis(seconds=1.0 if short else 3.0),
    ]


def _hot_key(*, seconds: float) -> list[Row]:
    peers = {
        "dogpile.cache": hot_key.dogpile,
        "django-redis get_or_set": hot_key.django_redis,
        "get and set": hot_key.plain,
    }
    ours, *others = [read_hot(make, seconds=seconds) for make in (hot_key.ours, *peers.values())]
    named = list(zip(peers, others, strict=True))
    rate = f"{ours.reads_per_s:,.0f} reads/s, {PROCESSES} processes × {THREADS} threads"
    return [
        Row(
            claim=f"one hot key ({rate}): loads of {1000 * COST_S:.0f} ms per TTL of {TTL_S:g} s",
            ours=f"{ours.loads_per_ttl:.3f}",
            target="≤ 1.05",
            peers=", ".join(f"{name} {peer.loads_per_ttl:.2f}" for name, peer in named),
            holds=ours.loads_per_ttl <= 1.05,
        ),
        Row(
            claim="the slowest read of that key",
            ours=f"{ours.waited_ms:.0f} ms",
            peers=", ".join(f"{name} {peer.waited_ms:.0f} ms" for name, peer in named),
        ),
        Row(
            claim="reads of that key a second",
            ours=f"{ours.reads_per_s:,.0f}",
            peers=", ".join(f"{name} {peer.reads_per_s:,.0f}" for name, peer in named),
        ),
    ]


def _races(*, races: int) -> Row:
    url = default_url()
    Redis.from_url(url).flushdb()
    result = race(url=url, races=races, limit_s=1200)
    return Row(
        claim=f"{result.races:,} loads overtaken by an invalidation ({result.reads:,} reads,"
        f" {result.voids:,} invalidations): reads older than an invalidation before them",
        ours=str(result.stale),
        target="0 in 100,000",
        holds=result.stale == 0 and result.races >= races,
    )


@dataclass(frozen=True)
class _Served:
    per_s: float
    cpu_ms: float


def _over_http(*, seconds: float, rounds: int) -> list[Row]:
    key, order_id, sku = _prepare()
    paths = {
        "GET /orders/{id}, settled": f"/api/v1/orders/{order_id}",
        "GET /products/{sku}": f"/api/v1/products/{sku}",
    }
    served: dict[tuple[str, bool], list[_Served]] = {}
    for _round in range(rounds):
        for is_cached in (False, True):
            with web(is_cached=is_cached) as (port, pid):
                for name, path in paths.items():
                    ask(port, key, path, seconds=1.0)
                    before_s = cpu_s(pid)
                    answers = ask(port, key, path, seconds=seconds)
                    cpu_ms = 1000 * (cpu_s(pid) - before_s) / answers
                    served.setdefault((name, is_cached), []).append(_Served(answers / seconds, cpu_ms))
    return [_compared(name, served[name, False], served[name, True]) for name in paths]


def _compared(name: str, uncached: list[_Served], cached: list[_Served]) -> Row:
    def median(field: str, rounds: list[_Served]) -> float:
        return statistics.median(getattr(one, field) for one in rounds)

    rates = median("per_s", cached), median("per_s", uncached)
    costs = median("cpu_ms", cached), median("cpu_ms", uncached)
    return Row(
        claim=f"{name} over HTTP, one web process: answers a second, and CPU of each, cached to not",
        ours=f"{rates[0] / rates[1]:.1f}× ({rates[0]:,.0f} to {rates[1]:,.0f} a second),"
        f" {costs[1] / costs[0]:.1f}× less CPU ({costs[0]:.2f} to {costs[1]:.2f} ms)",
    )


def _prepare() -> tuple[str, str, str]:
    from orders.models import Order
    from orders.services.adjust_stock import adjust_stock
    from orders.services.place_order import LineDraft, OrderDraft, PaymentDraft, place_order
    from orders.services.put_product import put_product
    from resilience import clock
    from resilience.apikeys.keys import issue_key

    now, sku = clock.now(), "CACHED"
    _key, plaintext = issue_key(client="bench", name="bench", permissions=["orders.read"], now=now)
    put_product(sku=sku, name="A cup", price_minor=1000, currency="EUR", now=now)
    adjust_stock(sku=sku, by=10)
    draft = OrderDraft(
        customer_reference="somebody",
        customer_email="",
        currency="EUR",
        lines=(LineDraft(sku, 1),),
        payments=(PaymentDraft("pm_card_visa"),),
        shipping_minor=0,
        metadata={},
    )
    order = place_order(client="bench", draft=draft, now=now).order
    Order.objects.filter(pk=order.id).update(status="cancelled", settled_at=now)
    return plaintext, str(order.id), sku


def _frozen_redis(*, seconds: float) -> Row:
    """Read with Redis there, then with Redis frozen; the second after the freeze does not count."""
    key, _order_id, sku = _prepare()
    pid = Redis.from_url(default_url()).info("server")["process_id"]
    path = f"/api/v1/products/{sku}"
    with web(is_cached=True) as (port, _pid):
        timed(port, key, path, seconds=1.0)
        before = timed(port, key, path, seconds=seconds)
        os.kill(pid, signal.SIGSTOP)
        try:
            timed(port, key, path, seconds=1.0)
            after = timed(port, key, path, seconds=seconds)
        finally:
            os.kill(pid, signal.SIGCONT)
    rise_ms = p99_ms(after) - p99_ms(before)
    return Row(
        claim="Redis frozen (SIGSTOP) under reads: rise of p99 of GET /products/{sku} after 1 s",
        ours=f"{rise_ms:+.1f} ms (p99 {p99_ms(before):.1f} → {p99_ms(after):.1f} ms, no error)",
        target="≤ 50 ms",
        holds=rise_ms <= 50,
    )
