"""The audit of every five minutes: one at a time, kept, and loud."""

import logging
from datetime import timedelta

import pytest
from django.conf import settings

from config import tasks
from config.celery import app
from config.tasks import run_scheduled_audit
from resilience.audit.keep import RUNS_KEPT, AuditUnderWayError, begin, end
from resilience.audit.models import AuditRun
from resilience.clock import now
from tests.audit import plants
from tests.audit_kit import World, audit, execute


def test_its_result_is_kept(world: World):
    run_scheduled_audit()

    run = AuditRun.objects.get()
    assert run.verdict == "pass"
    assert run.finished_at >= run.started_at
    assert len(run.results["checks"]) == 36


def test_each_violation_is_logged_with_its_check_and_rows(world: World, caplog: pytest.LogCaptureFixture):
    [(row,)] = plants.b4(world)

    with caplog.at_level(logging.ERROR):
        run_scheduled_audit()

    told = [
        (record.message, record.check, record.rows)
        for record in caplog.records
        if record.levelname == "ERROR"
    ]
    assert told == [("The audit found a violation.", "B4", [row])]
    assert AuditRun.objects.get().verdict == "fail"


def test_it_leaves_out_its_turn_while_another_runs(world: World):
    begun = begin(now=now())

    run_scheduled_audit()

    assert list(AuditRun.objects.values_list("id", "verdict")) == [(begun, "running")]


@pytest.mark.django_db(transaction=True)
def test_one_that_died_is_given_up_and_stays_so():
    dead = begin(now=now() - timedelta(minutes=11))
    alive = begin(now=now())

    end(dead, audit("B4"))

    assert dict(AuditRun.objects.values_list("id", "verdict")) == {dead: "unknown", alive: "running"}
    with pytest.raises(AuditUnderWayError):
        begin(now=now())


@pytest.mark.django_db(transaction=True)
def test_one_that_could_not_be_made_is_kept_as_unknown(monkeypatch: pytest.MonkeyPatch):
    def fail(**_options: object) -> None:
        raise ConnectionError("no database")

    monkeypatch.setattr(tasks, "run_audit", fail)

    with pytest.raises(ConnectionError):
        run_scheduled_audit()

    run = AuditRun.objects.get()
    assert (run.verdict, run.results) == ("unknown", {"error": "ConnectionError: no database"})


@pytest.mark.django_db(transaction=True)
def test_the_last_thousand_are_kept():
    execute(
        "INSERT INTO resilience_audit_run (id, started_at, finished_at, verdict, results)"
        " SELECT lpad(to_hex(n), 32, '0')::uuid, now(), now(), 'pass', '{}' FROM generate_series(1, %s) n",
        RUNS_KEPT + 5,
    )

    newest = begin(now=now())

    assert AuditRun.objects.count() == RUNS_KEPT
    assert AuditRun.objects.filter(pk=newest).exists()
    assert not AuditRun.objects.filter(pk="00000000000000000000000000000001").exists()


def test_it_is_scheduled_and_known_to_workers():
    entry = settings.CELERY_BEAT_SCHEDULE["audit"]

    assert entry == {"task": "audit.run", "schedule": 300.0, "options": {"expires": 300}}
    assert "audit.run" in app.tasks
