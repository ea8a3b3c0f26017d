"""What listening costs an order, and how soon a listener hears: the whole saga, with everything that follows.

Off: dispatcher and two workers. On: beside them a subscriber with all subscriptions, the sender of webhooks
and the lake's exporter, as `make run` has them, on the same cores.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from random import Random
from statistics import median
from threading import Event as Signal
from threading import Thread
from uuid import UUID

from django.db import connection

from benchmarks.backlog import place, stock_up, wait_until_settled
from benchmarks.closed_loop import percentile
from benchmarks.contenders.holdfast import DISPATCHER, Holdfast
from benchmarks.drain import drain, observing
from benchmarks.stage import Stage
from benchmarks.tools.row import Row
from resilience.events import Event, Subscription, serve, subscriptions

_LISTENERS = ("subscriber", "sender", "exporter")
_LATENCY_MS = 50
_ORDERS_PER_S = 20
# The first orders meet connections and plans that are not made yet.
_WARM_UP = 20
_SETTLE_S_MAX = 60.0
_LISTEN_S_MAX = 10.0


def measure_on(stage: Stage, *, short: bool) -> list[Row]:
    """Return the rows."""
    stock_up()
    return [_cost(stage, orders=100 if short else 6000, rounds=1 if short else 3), _lag(stage, short=short)]


def _cost(stage: Stage, *, orders: int, rounds: int) -> Row:
    """Let both settle the same backlog in turns; who goes first changes, for the second is warmer."""
    per_s: dict[bool, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="holdfast-lake-") as folder:
        for number in range(rounds):
            for is_on in (False, True) if number % 2 == 0 else (True, False):
                _forget()
                contender = _listened_to(f"{folder}/lake") if is_on else Holdfast()
                figures = drain(contender, stage=stage, orders=orders, latency_ms=_LATENCY_MS)
                per_s[is_on].append(figures.per_s)
    ratio = median(per_s[True]) / median(per_s[False])
    return Row(
        claim=f"orders settled a second with analytics on, by off: {orders:,} orders at {_LATENCY_MS} ms, "
        f"medians of {rounds} turns each",
        ours=f"{ratio:.0%}: {_spread(per_s[True])}",
        target="≥ 95 %",
        peers=f"off: {_spread(per_s[False])}",
        holds=ratio >= 0.95,
    )


def _listened_to(lake: str) -> Holdfast:
    return Holdfast(daemons=(DISPATCHER, *_LISTENERS), environment={"HOLDFAST_LAKE_URL": lake})


def _spread(per_s: Sequence[float]) -> str:
    return f"{median(per_s):.0f} orders/s ({min(per_s):.0f} to {max(per_s):.0f})"


def _forget() -> None:
    """Empty the log, so that a turn with listeners does not catch up with the turn before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE resilience_event, resilience_event_stream, resilience_inbox, analytics_tally"
        )


def _lag(stage: Stage, *, short: bool) -> Row:
    """Time from the commit of `order.placed` to each handler that wants it, while sagas run.

    All subscriptions are served by this process, which places the orders too: only so has one clock seen
    both. It costs the handlers a share of this process's time.
    """
    _forget()
    stage.gateway.begin(latency_ms=_LATENCY_MS)
    orders = _ORDERS_PER_S * (3 if short else 45)
    heard: dict[tuple[str, UUID], float] = {}
    contender = Holdfast(daemons=(DISPATCHER, "sender"))
    with stage.crew(*contender.parts(stage)), observing(stage) as observer, _listening(heard):
        _place_evenly(_WARM_UP)
        heard.clear()
        committed = _place_evenly(orders)
        wait_until_settled(place(1), observer=observer, limit_s=_SETTLE_S_MAX)
        names = {name for name, _order in heard}
        deadline = time.monotonic() + _LISTEN_S_MAX
        while _heard_of(committed, heard) < len(names) * orders and time.monotonic() < deadline:
            time.sleep(0.05)
    waits = [1000 * (at - committed[order]) for (_name, order), at in heard.items() if order in committed]
    p99 = percentile(waits, 99)
    is_whole = len(waits) == len(names) * orders
    return Row(
        claim=f"publish lag at {_ORDERS_PER_S} orders/s, {orders:,} orders, from commit to handler, "
        f"all {len(subscriptions())} subscriptions served ({', '.join(sorted(names))} want `order.placed`)",
        ours=f"p50 {percentile(waits, 50):.0f} ms, p99 {p99:.0f} ms{'' if is_whole else ', not all heard'}",
        target="p99 ≤ 250 ms",
        holds=is_whole and p99 <= 250,
    )


def _place_evenly(orders: int) -> dict[UUID, float]:
    """Place orders at the rate; return when each was committed. One that is late is not waited for."""
    began_at, committed = time.monotonic(), {}
    for number in range(orders):
        time.sleep(max(0.0, began_at + number / _ORDERS_PER_S - time.monotonic()))
        [order] = place(1).ids
        committed[order] = time.monotonic()
    return committed


def _heard_of(committed: dict[UUID, float], heard: dict[tuple[str, UUID], float]) -> int:
    return sum(order in committed for _name, order in list(heard))


@contextmanager
def _listening(heard: dict[tuple[str, UUID], float]) -> Iterator[None]:
    """Serve every subscription, and note when its handler gets an `order.placed`."""
    stop = Signal()
    watched = [replace(one, handle=partial(_note_and_handle, one, heard)) for one in subscriptions()]
    thread = Thread(target=serve, args=(watched,), kwargs={"stop": stop, "random": Random(1)})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _note_and_handle(
    subscription: Subscription, heard: dict[tuple[str, UUID], float], events: Sequence[Event]
) -> None:
    now = time.monotonic()
    for event in events:
        if event.type == "order.placed":
            heard.setdefault((subscription.name, event.aggregate_id), now)
    subscription.handle(events)
