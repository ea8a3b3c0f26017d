"""Sessions that write and read their own last row, by several strategies of choosing a database.

Each read is made by every strategy, at the same moment: so they meet the same lag.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from random import Random

_THREADS = 4
# django-multidb-router's default.
_STICKY_S = 15.0
_WRITE_SHARE = 0.1
# How often a session acts, on average: a person who clicks.
_THINK_S = 3.0


@dataclass
class Session:
    """Somebody who writes and reads, and what their client remembers."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    row: int | None = None
    token: str = ""
    wrote_at: float = 0.0


Strategy = Callable[[Session], AbstractContextManager[str]]


@contextmanager
def ours(session: Session) -> Iterator[str]:
    from resilience.routing import database_for_reads, parse_token, replica_reads

    with replica_reads(token=parse_token(session.token)):
        yield database_for_reads()


@contextmanager
def _sticky(session: Session) -> Iterator[str]:
    yield "default" if time.monotonic() - session.wrote_at < _STICKY_S else "replica"


@contextmanager
def _plain(session: Session) -> Iterator[str]:
    yield "replica"


STRATEGIES = {"ours": ours, "sticky 15 s": _sticky, "every read on the replica": _plain}


@dataclass
class Tally:
    """By strategy: reads, reads that missed their own write, reads of the replica."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    reads: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    replica: Counter[str] = field(default_factory=Counter)

    def note(self, name: str, *, database: str, found: bool) -> None:
        """Count one read."""
        with self.lock:
            self.reads[name] += 1
            self.violations[name] += not found
            self.replica[name] += database == "replica"

    def as_dict(self) -> dict[str, dict[str, float]]:
        """Return what was counted."""
        return {
            name: {
                "reads": self.reads[name],
                "violations": self.violations[name],
                "replica_share": round(self.replica[name] / max(1, self.reads[name]), 3),
            }
            for name in self.reads
        }


def write(session: Session) -> None:
    from django.db import connections

    from resilience.routing import capture_token

    with connections["default"].cursor() as cursor:
        cursor.execute("INSERT INTO routing_round DEFAULT VALUES RETURNING id")
        session.row = cursor.fetchone()[0]
    session.token, session.wrote_at = str(capture_token()), time.monotonic()


def _read(session: Session, tally: Tally, strategies: dict[str, Strategy]) -> None:
    from django.db import connections

    for name, strategy in strategies.items():
        with strategy(session) as database, connections[database].cursor() as cursor:
            cursor.execute("SELECT 1 FROM routing_round WHERE id = %s", [session.row])
            tally.note(name, database=database, found=cursor.fetchone() is not None)


def _act(session: Session, random: Random, tally: Tally, strategies: dict[str, Strategy]) -> None:
    """Write, or read what was written; a server that is away is no violation."""
    from django import db

    with session.lock:
        try:
            if session.row is None or random.random() < _WRITE_SHARE:
                write(session)
            else:
                _read(session, tally, strategies)
        except db.Error:
            db.connections.close_all()
            time.sleep(0.05)


def sessions_for(rate: float) -> list[Session]:
    """Return as many sessions as act `rate` times a second in all."""
    return [Session() for _session in range(int(rate * _THINK_S))]


def run_sessions(
    sessions: list[Session],
    *,
    until: Callable[[Tally], bool],
    strategies: dict[str, Strategy],
    tally: Tally,
) -> None:
    """Let these sessions act until enough was counted."""
    rate = len(sessions) / _THINK_S

    def loop(seed: int) -> None:
        from django.db import connections

        random = Random(seed)
        while not until(tally):
            began = time.monotonic()
            _act(random.choice(sessions), random, tally, strategies)
            time.sleep(max(0.0, _THREADS / rate - (time.monotonic() - began)))
        connections.close_all()

    threads = [threading.Thread(target=loop, args=(seed,)) for seed in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
