"""The timed run: from the moment a contender is let go to the moment its last order is settled."""

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from django.db import connection

from benchmarks import meter
from benchmarks.backlog import Backlog, check, place, wait_until_settled
from benchmarks.contenders.base import Contender
from benchmarks.stage import Stage
from config.stack.supervisor import Supervisor

Observer = psycopg.Connection[tuple[int]]

# Enough that every thread has met every step: imports, connections and plans are made.
_WARM_UP_ORDERS = 200
# A contender that stands still is found out; the slowest one settles more than ten orders a second.
_LIMIT_BASE_S, _LIMIT_PER_ORDER_S = 30.0, 0.1


@dataclass(frozen=True)
class Figures:
    """What one run measured. CPU is in milliseconds per order, by group of processes."""

    orders: int
    seconds: float
    cpu_ms: Mapping[str, float]
    load: float

    @property
    def per_s(self) -> float:
        return self.orders / self.seconds


def drain(contender: Contender, *, stage: Stage, orders: int, latency_ms: int) -> Figures:
    """Let `contender` settle a backlog of `orders`. Raises WrongWorkError when it did it wrong."""
    with stage.crew(*contender.parts(stage)) as crew, observing(stage) as observer:
        for count, wait_ms in ((min(orders, _WARM_UP_ORDERS), 0), (orders, latency_ms)):
            stage.gateway.begin(latency_ms=wait_ms)
            with handed_over(contender, count, crew=crew, observer=observer) as backlog:
                load = meter.load()
                cpu_before = _cpu(stage, crew)
                started = time.monotonic()
            wait(backlog, observer)
            seconds = time.monotonic() - started
            cpu_after = _cpu(stage, crew)
            check(backlog, stage.gateway.book())
    cpu_ms = {group: 1000 * (cpu_after[group] - cpu_before[group]) / orders for group in cpu_after}
    return Figures(orders, seconds, cpu_ms, load)


@contextmanager
def observing(stage: Stage) -> Iterator[Observer]:
    """Lend a connection of the superuser's, which the log tells from those of the contenders."""
    url = stage.addresses.superuser.rpartition("/")[0] + "/holdfast"
    with psycopg.connect(url, autocommit=True) as observer:
        yield observer


@contextmanager
def handed_over(
    contender: Contender, orders: int, *, crew: Supervisor, observer: Observer
) -> Iterator[Backlog]:
    """Lend a backlog that `contender` knows of and cannot begin with; at the block's end it is let go."""
    held_back = [pid for name in contender.held_back for pid in crew.pids()[name]]
    with _held_back(held_back, observer):
        backlog = place(orders)
        contender.hand_over(backlog)
        tidy(observer)
        yield backlog


def tidy(observer: Observer) -> None:
    """Give every run fresh statistics and no dead rows, so that rounds do not slow one another."""
    observer.execute("VACUUM ANALYZE")
    observer.execute("CHECKPOINT")
    # The backlog was placed on this connection; while others are measured it is not needed.
    connection.close()


def wait(backlog: Backlog, observer: Observer) -> None:
    """Return when all of `backlog` is settled. Raises WrongWorkError when it takes far too long."""
    limit_s = _LIMIT_BASE_S + _LIMIT_PER_ORDER_S * len(backlog.ids)
    wait_until_settled(backlog, observer=observer, limit_s=limit_s)


def _cpu(stage: Stage, crew: Supervisor) -> dict[str, float]:
    return meter.cpu_by_group({**stage.server_pids(), **crew.pids()})


@contextmanager
def _held_back(pids: Sequence[int], observer: Observer) -> Iterator[None]:
    """Stop processes for the length of the block, at a moment when they hold no transaction open."""
    try:
        _signal(pids, signal.SIGSTOP)
        while _is_transaction_open(observer):
            _signal(pids, signal.SIGCONT)
            time.sleep(0.01)
            _signal(pids, signal.SIGSTOP)
        yield
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


def _is_transaction_open(observer: Observer) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    row = observer.execute(query).fetchone()
    return row is not None and row[0] > 0
