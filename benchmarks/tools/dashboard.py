"""What the dashboard costs: first paint of each page on years of rows, and what twenty open ones take away.

A page is opened in Chromium by somebody who has signed in, with scripts and styles in the browser's cache;
the reference is the same page before the rows were there.
"""

import http.client
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from statistics import median
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from benchmarks.backlog import stock_up
from benchmarks.contenders.holdfast import DISPATCHER, Holdfast
from benchmarks.drain import drain
from benchmarks.stage import FOLDER, Stage
from benchmarks.tools.row import Row
from config.history.seeding import STEPS_PER_ORDER, seed
from config.stack import platform
from config.stack.part import Part
from config.stack.ports import LOOPBACK, pick_port
from orders.models import Order
from resilience import clock

_PASSWORD = "a password of the benchmark"
_PAGES = {
    "home": "/admin/",
    "an order": "/admin/orders/order/{order}/change/",
    "sagas": "/admin/sagas/",
    "money in doubt": "/admin/money/",
    "toolkit": "/admin/toolkit/",
    "events": "/admin/events/",
    "business": "/admin/business/",
    "lab": "/admin/lab/",
    "list of orders": "/admin/orders/order/",
    "list of sagas": "/admin/resilience/saga/",
    "event log": "/admin/resilience/loggedevent/",
    "audit trail": "/admin/resilience/audittrail/",
}
_LOOKS = 5
_PAINT_MS_MAX = 1000.0
_BROWSERS = 20
_LATENCY_MS = 50
# What an open home page asks for, and how often (config/static/dashboard/home.js).
_ASKED = (("/admin/now.json", 2.0), ("/admin/story.json?span=15m", 5.0))


def measure_on(stage: Stage, *, short: bool) -> list[Row]:
    """Return the rows."""
    stock_up()
    people = get_user_model().objects
    if not people.filter(username="benchmark").exists():
        people.create_superuser("benchmark", password=_PASSWORD)
    port = pick_port(random=Random())
    web = platform.web_part(folder=FOLDER, port=port, environment=stage.environment)
    seed(1, until=clock.now(), over=timedelta(days=1))
    rows = [_cost(stage, web, port, orders=100 if short else 3000, rounds=1 if short else 5)]
    with stage.crew(web):
        empty = _paints(port, looks=1 if short else _LOOKS)
        orders = 100 if short else 125_000
        events = seed(orders, until=clock.now(), over=timedelta(days=90))
        full = _paints(port, looks=1 if short else _LOOKS)
    what = f"{orders:,} orders, {STEPS_PER_ORDER * orders:,} steps, {events:,} events"
    return [*rows, *(_row(name, full[name], empty[name], what=what) for name in _PAGES)]


def _row(name: str, full_ms: float, empty_ms: float, *, what: str) -> Row:
    return Row(
        claim=f"first paint of {name}, {what}: median of {_LOOKS}",
        ours=f"{full_ms:.0f} ms, {full_ms / empty_ms:.2f} of empty",
        target=f"< {_PAINT_MS_MAX:.0f} ms",
        peers=f"empty: {empty_ms:.0f} ms",
        holds=full_ms < _PAINT_MS_MAX,
    )


def _paints(port: int, *, looks: int) -> Mapping[str, float]:
    """Return the first contentful paint of each page in milliseconds; a first look is not counted."""
    # Only where it is measured: whoever lists the benchmarks needs no browser.
    from playwright.sync_api import sync_playwright

    order = str(Order.objects.latest("pk").pk)
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://{LOOPBACK}:{port}/admin/")
        page.fill("input[name=username]", "benchmark")
        page.fill("input[name=password]", _PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_load_state()
        for name, path in _PAGES.items():
            paints = [
                _paint(page, f"http://{LOOPBACK}:{port}{path.format(order=order)}") for _ in range(looks + 1)
            ]
            found[name] = median(paints[1:])
        browser.close()
    return found


def _paint(page: Any, address: str) -> float:
    answer = page.goto(address)
    assert answer.status == 200, address
    paint: float = page.evaluate(
        "new Promise((tell) => new PerformanceObserver((list) => list.getEntries().forEach((entry) =>"
        " entry.name === 'first-contentful-paint' && tell(entry.startTime)))"
        ".observe({ type: 'paint', buffered: true }))"
    )
    return paint


def _cost(stage: Stage, web: Part, port: int, *, orders: int, rounds: int) -> Row:
    """Settle the same backlog with and without open dashboards, in turns; the web process runs in both."""
    per_s: dict[bool, list[float]] = {True: [], False: []}
    with stage.crew(web):
        for number in range(rounds):
            for is_watched in (False, True) if number % 2 == 0 else (True, False):
                with _watching(port, browsers=_BROWSERS if is_watched else 0):
                    contender = Holdfast(daemons=(DISPATCHER,))
                    figures = drain(contender, stage=stage, orders=orders, latency_ms=_LATENCY_MS)
                per_s[is_watched].append(figures.per_s)
    ratio = median(per_s[True]) / median(per_s[False])
    return Row(
        claim=f"orders settled a second with {_BROWSERS} dashboards open, by none: {orders:,} orders, medians"
        f" of {rounds} turns each",
        ours=f"{ratio:.1%}: {_spread(per_s[True])}",
        target="> 97 %",
        peers=f"none open: {_spread(per_s[False])}",
        holds=ratio > 0.97,
    )


def _spread(per_s: list[float]) -> str:
    return f"{median(per_s):.0f} orders/s ({min(per_s):.0f} to {max(per_s):.0f})"


@contextmanager
def _watching(port: int, *, browsers: int) -> Iterator[None]:
    """Ask what so many open home pages ask, as often, from this process."""
    client = Client()
    client.force_login(get_user_model().objects.get(username="benchmark"))
    cookie = client.cookies["sessionid"].value
    stop = threading.Event()
    crew = [
        threading.Thread(target=_watch, args=(port, cookie, stop, path, every_s, number / browsers * every_s))
        for number in range(browsers)
        for path, every_s in _ASKED
    ]
    for thread in crew:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in crew:
            thread.join()


def _watch(port: int, cookie: str, stop: threading.Event, path: str, every_s: float, first_s: float) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
    due = time.monotonic() + first_s
    while not stop.wait(max(0.0, due - time.monotonic())):
        connection.request("GET", path, headers={"Cookie": f"sessionid={cookie}"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status in (200, 304), body
        due += every_s
    connection.close()
