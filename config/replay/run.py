"""A replay from its file to its report."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from rich.progress import Progress

from config.replay.api import Api
from config.replay.catalogue import stock_products
from config.replay.crew import paced
from config.replay.placing import place_orders
from config.replay.report import Report, first_answers, report_of
from config.replay.requests import OrderRequest, order_request
from config.replay.settling import Limits, wait_until_settled
from config.replay.source import read_orders, survey


@dataclass(frozen=True)
class Options:
    """What to replay, and how fast. `limit` None: all; `rate` None: as fast as `concurrency` allows."""

    path: Path
    zone: tzinfo
    limit: int | None
    rate: float | None
    concurrency: int
    settle_timeout_s: float


def run_replay(
    options: Options, *, api: Api, stop: threading.Event, progress: Progress, now: Callable[[], datetime]
) -> Report:
    """Create products, post the orders, wait until they settled, and report.

    Run again, it finds what is there and does the rest. Raises ReplayError; `stop` ends it early.
    """
    found = survey(path=options.path, limit=options.limit)
    threads = options.concurrency
    to_stock = progress.add_task("products", total=len(found.products))
    products = stock_products(
        found, api=api, threads=threads, stop=stop, on_product=lambda: progress.advance(to_stock)
    )
    to_place = progress.add_task("orders", total=found.orders)
    started_s = time.monotonic()
    placements = place_orders(
        _requests(options, stop=stop),
        api=api,
        threads=threads,
        stop=stop,
        now=now,
        on_answer=lambda: progress.advance(to_place),
    )
    sending_s = time.monotonic() - started_s
    accepted = first_answers(placements).values()
    to_settle = progress.add_task("settled", total=len(accepted))
    states = wait_until_settled(
        accepted,
        api=api,
        limits=Limits(options.settle_timeout_s, stop.wait),
        on_open=lambda still_open: progress.update(to_settle, completed=len(accepted) - still_open),
    )
    return report_of(products=products, placements=placements, states=states, sending_s=sending_s)


def _requests(options: Options, *, stop: threading.Event) -> Iterator[OrderRequest]:
    orders = read_orders(path=options.path, limit=options.limit)
    requests = (order_request(order, zone=options.zone) for order in orders)
    return requests if options.rate is None else paced(requests, rate=options.rate, pause=stop.wait)
