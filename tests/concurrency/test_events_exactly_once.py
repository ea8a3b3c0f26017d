"""Many writers that commit in any order, two reader processes, one of them killed again and again.

The short form is part of `make test`; HOLDFAST_EVENTS=200000 (`make events`) is the long one.
With one lane, with three, and with a replacement that declares another number than those it runs beside.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from random import Random
from threading import Event as Signal
from uuid import UUID

import pytest
from django.db import connection, transaction

from resilience.events import lag
from resilience.ids import new_id
from tests.events_kit import (
    apply_effects,
    create_effects,
    drop_effects,
    publish,
    rows,
    subscription,
    wait_until,
)

EVENTS = int(os.environ.get("HOLDFAST_EVENTS", "1200"))
WRITERS = 6
AGGREGATES = 40
# The long form commits more at once, so that it is over in minutes.
FACTS_MAX = 4 if EVENTS < 10_000 else 16
# Often enough to meet every moment of a batch, and seldom enough that a new reader is up in between.
EFFECTS_BETWEEN_KILLS = max(400, EVENTS // 50)
KILLS = EVENTS // EFFECTS_BETWEEN_KILLS
# Far below what a busy machine handles in a second; only one that stands still is given up on.
EFFECTS_PER_S_MIN = 50
LIMIT_S = 30 + EFFECTS_BETWEEN_KILLS / EFFECTS_PER_S_MIN

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(90 + EVENTS / EFFECTS_PER_S_MIN),
]


@pytest.fixture(autouse=True)
def effects() -> Iterator[None]:
    create_effects()
    yield
    drop_effects()


def write(seed: int, aggregates: list[UUID], stop: Signal) -> int:
    """Commit (mostly) transactions whose ids, appends and commits lie apart by random times."""
    random, committed = Random(seed), 0
    try:
        while not stop.is_set():
            facts = [(random.choice(aggregates), 0) for _fact in range(random.randint(1, FACTS_MAX))]
            with transaction.atomic():
                rows("SELECT pg_current_xact_id()::text")
                time.sleep(random.uniform(0, 0.010))
                publish(*facts)
                time.sleep(random.uniform(0, 0.020))
                if random.random() < 0.1:
                    transaction.set_rollback(True)
                else:
                    committed += len(facts)
    finally:
        connection.close()
    return committed


@contextmanager
def reader(lanes: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A subscriber process that is up: a reader that starts late is never near the head of the log."""
    command = [sys.executable, "-m", "tests.events_reader", str(lanes)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"serving exactly-once\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def latest_reader() -> int:
    """Return the process that applied the latest effect; 0 before the first."""
    found = rows("SELECT process_id FROM test_effect ORDER BY ordinal DESC LIMIT 1")
    return found[0][0] if found else 0


def last_ordinal() -> int:
    """Return about how many effects there are: what a killed reader had begun left a hole."""
    return rows("SELECT coalesce(max(ordinal), 0) FROM test_effect")[0][0]


def effect_count() -> int:
    return rows("SELECT count(*) FROM test_effect")[0][0]


@pytest.mark.parametrize(
    ("lanes", "lanes_after_kills"),
    [(1, (1, 1, 1)), (3, (3, 3, 3, 3, 3)), (2, (4, 3, 1, 4, 2))],
    ids=["one lane", "three lanes", "another number after each kill"],
)
def test_nothing_is_lost_doubled_or_inverted_while_readers_are_killed(
    lanes: int, lanes_after_kills: tuple[int, ...]
) -> None:
    aggregates = [new_id() for _aggregate in range(AGGREGATES)]
    after_kills = list(islice(cycle(lanes_after_kills), max(KILLS, len(lanes_after_kills))))
    stop, began_at = Signal(), time.monotonic()
    with ExitStack() as stack, ThreadPoolExecutor(WRITERS) as writers:
        running = {
            process.pid: process for process in [stack.enter_context(reader(lanes)) for _reader in range(2)]
        }
        writing = [writers.submit(write, seed, aggregates, stop) for seed in range(WRITERS)]
        try:
            for lanes in after_kills:
                seen = last_ordinal()
                wait_until(lambda seen=seen: last_ordinal() > seen + EFFECTS_BETWEEN_KILLS, limit_s=LIMIT_S)
                victim = running.pop(latest_reader())
                os.kill(victim.pid, signal.SIGKILL)
                replacement = stack.enter_context(reader(lanes))
                running[replacement.pid] = replacement
            wait_until(lambda: effect_count() >= EVENTS, limit_s=LIMIT_S)
        finally:
            stop.set()
        committed = sum(writer.result(timeout=30) for writer in writing)
        wait_until(lambda: lag(subscription("exactly-once", apply_effects)).events == 0, limit_s=LIMIT_S)
    print(f"{committed:,} events, {len(after_kills)} kills, {time.monotonic() - began_at:.0f} s")

    assert committed >= EVENTS
    # The last one to start is right about how many there are.
    wait_until(
        lambda: rows(LANES) == [(lane, after_kills[-1]) for lane in range(after_kills[-1])], limit_s=LIMIT_S
    )
    assert rows("SELECT count(*), count(DISTINCT event_id) FROM test_effect") == [(committed, committed)]
    assert rows("SELECT count(*) FROM resilience_event") == [(committed,)]
    assert rows("SELECT id FROM resilience_event EXCEPT SELECT event_id FROM test_effect") == []
    assert rows(INVERSIONS) == []
    assert rows(GAPS) == []


LANES = "SELECT lane, lanes FROM resilience_subscription WHERE name = 'exactly-once' ORDER BY lane"
INVERSIONS = """
SELECT * FROM (
    SELECT sequence, lag(sequence, 1, 0::bigint) OVER (PARTITION BY aggregate_id ORDER BY ordinal) AS before
    FROM test_effect
) AS applied
WHERE sequence <> before + 1
"""
GAPS = """
SELECT aggregateid FROM resilience_event
GROUP BY aggregateid HAVING max(sequence) <> count(*) OR min(sequence) <> 1
"""
