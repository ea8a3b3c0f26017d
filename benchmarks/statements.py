"""How many statements and commits an order costs, read from PostgreSQL's log of a run of its own.

Its own, because logging every statement slows everybody down; the server's log, because it counts
all contenders alike, whatever they send their SQL with.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.backlog import check
from benchmarks.contenders.base import Contender
from benchmarks.drain import Observer, handed_over, observing, wait
from benchmarks.stage import Stage
from config.stack.postgres import APPLICATION_ROLE

_LINE = re.compile(
    r"^\S+ \S+ \S+ \[(?P<session>\d+)\] (?P<role>\w+) LOG:  (?:statement|execute [^:]+):\s+(?P<word>\w+)",
    re.MULTILINE,
)
# Servers read a changed configuration between two commands.
_RELOAD_S = 0.5


@dataclass(frozen=True)
class Cost:
    """What the server was asked for per order. BEGIN, COMMIT and ROLLBACK are no statements here."""

    statements: float
    commits: float


def count(contender: Contender, *, stage: Stage, orders: int) -> Cost:
    """Let `contender` settle `orders` while everything is logged."""
    stage.gateway.begin(latency_ms=0)
    with stage.crew(*contender.parts(stage)) as crew, observing(stage) as observer:
        with handed_over(contender, orders, crew=crew, observer=observer) as backlog:
            _log_statements(observer, "all")
            begin = stage.primary_log.stat().st_size
        wait(backlog, observer)
        _log_statements(observer, "none")
    with stage.primary_log.open("rb") as log:
        log.seek(begin)
        sent = log.read().decode()
    check(backlog, stage.gateway.book())
    lines = (line for line in _LINE.finditer(sent) if line["role"] == APPLICATION_ROLE)
    statements, commits = tally((line["session"], line["word"].upper()) for line in lines)
    return Cost(statements / orders, commits / orders)


def tally(sent: Iterable[tuple[str, str]]) -> tuple[int, int]:
    """Return statements and commits of what sessions sent: pairs of session and first word.

    A statement outside of a transaction is a commit as well.
    """
    statements = commits = 0
    in_transaction: set[str] = set()
    for session, word in sent:
        match word:
            case "BEGIN":
                in_transaction.add(session)
            case "COMMIT" | "ROLLBACK":
                in_transaction.discard(session)
                commits += word == "COMMIT"
            case _:
                statements += 1
                commits += session not in in_transaction
    return statements, commits


def _log_statements(observer: Observer, which: str) -> None:
    observer.execute(f"ALTER SYSTEM SET log_statement = '{which}'")  # type: ignore[call-overload]
    observer.execute("SELECT pg_reload_conf()")
    time.sleep(_RELOAD_S)
