"""Limits: what permits and verdicts cost, what the fleet gives a key, and three times what can be borne.

The overload runs on the whole stack (two web workers, dispatcher, two saga workers, durable servers), with
its clients on the same machine, once with the door and once with gunicorn's own worker.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from timeit import repeat
from typing import TYPE_CHECKING
from uuid import uuid4

from benchmarks.open_loop import is_done, share_ok
from benchmarks.stage import FOLDER
from benchmarks.tools.row import Row

if TYPE_CHECKING:  # it reads Django's settings, which `measure` is the first to need
    from benchmarks.overload import Seen

_CALLS = 20_000
_PROCESSES = 4


def measure(*, short: bool) -> list[Row]:
    """Measure all of it; needs the servers that `benchmarks.tools` starts."""
    return [*_costs(), _over_admission(seconds=4 if short else 15), *_overload(short=short)]


def _costs() -> list[Row]:
    from config.admission import judge
    from resilience.limits import Bulkhead
    from resilience.limits.bucket import Limit
    from resilience.limits.throttles import throttles

    bulkhead, semaphore = Bulkhead("benchmark", 4), threading.BoundedSemaphore(4)
    key, limit = uuid4(), Limit(1e6, 10**6)

    def permit() -> None:
        with bulkhead.permit():
            pass

    def plain() -> None:
        with semaphore:
            pass

    return [
        _cost("a bulkhead's permit", permit, peers=f"threading.BoundedSemaphore {_us(plain):.2f} µs"),
        _cost("a throttle's verdict", lambda: throttles.take(key, limit)),
        Row("the door's verdict, route and all", f"{_us(lambda: judge('GET', '/api/v1/orders/1')):.2f} µs"),
    ]


def _cost(what: str, act: Callable[[], object], *, peers: str = "") -> Row:
    cost_us = _us(act)
    return Row(what, f"{cost_us:.2f} µs", "≤ 5 µs, no network call", peers, cost_us <= 5)


def _us(act: Callable[[], object]) -> float:
    # Of this thread's own time: what other processes take from it is no cost of the tool.
    return sorted(repeat(act, number=_CALLS, repeat=9, timer=time.thread_time))[4] / _CALLS * 1e6


_TAKER = """
import sys, time
from uuid import UUID
import django
django.setup()
from resilience import pulse
from resilience.limits.bucket import Limit
from resilience.limits.throttles import throttles
assert pulse.wait_for_turn("redis", limit_s=20)
print("ready", flush=True)
begin_at = float(sys.stdin.readline())
key, limit, seconds = UUID(sys.argv[1]), Limit(float(sys.argv[2]), int(sys.argv[3])), float(sys.argv[4])
time.sleep(max(0, begin_at - time.time()))
early = late = 0
while (at := time.time() - begin_at) < seconds + 2:
    if throttles.take(key, limit).is_allowed:
        if at < 2: early += 1
        else: late += 1
    else:
        time.sleep(0.002)
print(early, late, flush=True)
"""


def _over_admission(*, seconds: float) -> Row:
    """Let processes take all they can get of one key's 200 a second, with a burst of 100."""
    per_s, burst = 200.0, 100
    command = [sys.executable, "-c", _TAKER, str(uuid4()), str(per_s), str(burst), str(seconds)]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    takers = [
        subprocess.Popen(
            command, cwd=FOLDER, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(_PROCESSES)
    ]
    for taker in takers:
        if taker.stdout is None or taker.stdout.readline() != "ready\n":
            raise RuntimeError("a process that should take did not start")
    begin_at = time.time() + 0.5
    answers = [taker.communicate(f"{begin_at}\n", timeout=60 + seconds)[0].split() for taker in takers]
    early, late = (sum(int(answer[which]) for answer in answers) for which in (0, 1))
    over_whole = (early + late) / (burst + per_s * (seconds + 2)) - 1
    over_steady = late / (per_s * seconds) - 1
    return Row(
        f"{_PROCESSES} processes take one key's {per_s:g}/s (burst {burst}) for {seconds + 2:g} s",
        f"{over_steady:+.1%} after 2 s, {over_whole:+.1%} over all",
        "≤ one beat's worth",
        f"a local bucket in each: {_PROCESSES - 1:+.0%}",
        (early + late) <= burst + per_s * (seconds + 2 + 0.25),
    )


def _overload(*, short: bool) -> list[Row]:
    from benchmarks.backlog import stock_up
    from benchmarks.overload import run, settled, web
    from config.bootstrap import bootstrap
    from resilience.clock import now

    stock_up()
    api_key = bootstrap(now=now()).api_key
    with web(has_door=True) as address:
        ours = run(address, api_key, short=short)
        ended = settled(limit_s=30 if short else 300)
    with web(has_door=False) as address:
        plain = run(address, api_key, short=short)
    return _rows(ours, plain, ended)


def _rows(ours: "Seen", plain: "Seen", ended: tuple[int, int]) -> list[Row]:
    from benchmarks.overload import KINDS

    load = f"3 times the capacity for {ours.seconds:g} s"
    money, plain_money = share_ok(ours.shots, "money"), share_ok(plain.shots, "money")
    refused = sorted(shot.took_s * 1000 for shot in ours.shots if shot.status == 503)
    return [
        Row(
            f"{load}: goodput by work ({ours.capacity:.0f} requests/s at capacity)",
            f"{ours.goodput:.0%} ({ours.done:.0f} requests/s)",
            "≥ 80 %",
            f"gthread {plain.goodput:.0%} ({plain.done:.0f} of {plain.capacity:.0f}/s)",
            ours.goodput >= 0.8,
        ),
        Row(
            f"{load}: refunds, cancels, webhooks done",
            f"{money:.2%}",
            "≥ 99 %",
            f"gthread {plain_money:.2%}",
            money >= 0.99,
        ),
        Row(
            f"{load}: done of checkout / one thing / lists / reports",
            " / ".join(f"{share_ok(ours.shots, kind):.0%}" for kind in KINDS[1:]),
            "in this order",
            "gthread " + " / ".join(f"{share_ok(plain.shots, kind):.0%}" for kind in KINDS[1:]),
        ),
        Row(
            f"{load}: p50 / p99 until an order is accepted",
            _quantiles(_took_ms(ours, "checkout")),
            peers=f"gthread {_quantiles(_took_ms(plain, 'checkout'))}",
        ),
        Row(
            "refusal, server not otherwise busy, p99",
            f"{ours.refusal_alone_ms:.1f} ms",
            "≤ 5 ms",
            holds=(ours.refusal_alone_ms or 99) <= 5,
        ),
        Row(
            f"{load}: p50 / p99 until a client hears a refusal, on the machine that is overloaded",
            _quantiles(refused),
        ),
        Row(
            "back to normal after",
            _seconds(ours.recovered_s),
            "≤ 60 s",
            f"gthread {_seconds(plain.recovered_s)}",
            ours.recovered_s is not None and ours.recovered_s <= 60,
        ),
        Row(
            "accepted orders that settled after the overload",
            f"{ended[0]} of {ended[1]}",
            "all",
            holds=ended[0] == ended[1],
        ),
    ]


def _took_ms(seen: "Seen", kind: str) -> list[float]:
    return sorted(shot.took_s * 1000 for shot in seen.shots if shot.kind == kind and is_done(shot))


def _quantiles(values: Sequence[float]) -> str:
    if not values:
        return "none"
    return f"{values[len(values) // 2]:.0f} / {values[int(len(values) * 0.99)]:.0f} ms"


def _seconds(value: float | None) -> str:
    return "over 90 s" if value is None else f"{value:.0f} s"
