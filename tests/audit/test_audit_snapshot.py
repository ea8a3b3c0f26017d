"""All checks see one moment: what is written beside them is no violation, and nothing is written by them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.db.utils import InternalError

from resilience.audit import Check, Findings, Kind, Moment, Verdict, run_checks
from resilience.audit.snapshot import bounded, snapshot
from resilience.clock import now
from tests.audit_kit import World, audit, execute

ROUNDS = 15


@contextmanager
def moving_stock() -> Iterator[None]:
    """Hold and let go of pieces all the time, in two statements of one transaction."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            for status, by in (("held", 1), ("committed", -1)):
                with transaction.atomic():
                    execute("UPDATE orders_reservation SET status = %s WHERE status <> 'released'", status)
                    pieces = "(SELECT sum(quantity) FROM orders_reservation WHERE status <> 'released')"
                    execute(f"UPDATE orders_product SET reserved = reserved + %s * {pieces}", by)
        connection.close()

    writer = threading.Thread(target=work)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join(10)


def test_writers_beside_it_make_no_violation(world: World):
    with moving_stock():
        verdicts = [audit("I1", "I3").verdict for _round in range(ROUNDS)]

    assert verdicts == [Verdict.PASS] * ROUNDS


@pytest.mark.django_db(transaction=True)
def test_two_checks_see_the_same_rows():
    seen: list[int] = []

    def find(_moment: Moment) -> Findings:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM resilience_audit_run")
            seen.append(cursor.fetchone()[0])
        writer = threading.Thread(target=_note_a_run)
        writer.start()
        writer.join(10)
        return Findings.of([])

    report = run_checks(
        [Check("X1", "first", Kind.SAFETY, find), Check("X2", "second", Kind.SAFETY, find)],
        witnesses={},
        is_quiescent=True,
        started_at=now(),
        clock=now,
    )

    assert report.verdict is Verdict.PASS
    assert seen == [0, 0]


@pytest.mark.django_db(transaction=True)
def test_nothing_can_be_written_and_no_reader_of_events_is_held_back():
    with snapshot():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id_if_assigned()")
            assert cursor.fetchone() == (None,)
        with pytest.raises(InternalError, match="read-only"), bounded():
            _note_a_run(close=False)


@pytest.mark.django_db(transaction=True)
def test_a_check_that_takes_too_long_is_stopped_alone():
    with snapshot():
        with pytest.raises(Exception, match="statement timeout"), bounded(statement_timeout_s=0.05):
            execute("SELECT pg_sleep(5)")
        execute("SELECT 1")


def _note_a_run(*, close: bool = True) -> None:
    execute(
        "INSERT INTO resilience_audit_run (id, started_at, finished_at, verdict, results)"
        " VALUES (gen_random_uuid(), now(), now(), 'pass', '{}')"
    )
    if close:
        connection.close()
