"""The probes, on real servers: they answer from memory whatever hangs, and say what is reduced."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client

from config.stack.servers import PRIMARY, REDIS, REPLICA
from resilience import pulse
from resilience.health.backlogs import backlogs
from resilience.health.report import runner
from resilience.signs import give_sign, signs
from tests.harness import Harness
from tests.processes import freeze, thaw, wait_until


@pytest.fixture(autouse=True)
def urls(settings) -> None:
    settings.ROOT_URLCONF = "resilience.health.urls"


@pytest.fixture(autouse=True)
def watching_anew() -> Iterator[None]:
    """A young process: it has not looked at anything yet."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    pulse.stop()
    for member in (runner, backlogs, signs):
        member.forget()


@pytest.fixture
def frozen(harness: Harness) -> Iterator[Any]:
    """Freeze a server until the test ends."""
    stopped: list[int] = []

    yield lambda server: stopped.extend(freeze(harness.supervisor.pids()[server]))
    thaw(stopped)


def _healthz() -> dict[str, Any]:
    return Client().get("/healthz").json()


def _status(name: str) -> str:
    return _healthz()["checks"][name][0]["status"]


def test_livez_passes_without_any_look_at_anything():
    answer = Client().get("/livez")

    assert answer.status_code == 200
    assert answer.json() == {"status": "pass"}
    assert answer.headers["Content-Type"] == "application/health+json"
    assert pulse.age_s("default") is None


def test_readyz_passes_at_the_first_question_while_the_primary_answers(django_db_setup: None):
    answer = Client().get("/readyz")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/health+json"
    assert "no-store" in answer.headers["Cache-Control"]
    document = answer.json()
    assert document["status"] == "pass"
    assert list(document["checks"]) == ["primary:connection"]
    assert document["checks"]["primary:connection"][0]["status"] == "pass"


def test_a_frozen_primary_fails_readyz_and_holds_no_probe(django_db_setup: None, frozen: Any):
    assert Client().get("/readyz").status_code == 200
    frozen(PRIMARY)
    wait_until(lambda: Client().get("/readyz").status_code == 503)

    took_s = []
    for _probe in range(50):
        began = time.monotonic()
        assert Client().get("/livez").status_code == 200
        answer = Client().get("/readyz")
        took_s.append(time.monotonic() - began)

    assert answer.json()["checks"]["primary:connection"][0]["output"].startswith("The primary database")
    # Nothing waited for the primary, whose limits are a second and more and which stood still for each
    # of them; a machine that stands still itself hits one or two.
    assert sorted(took_s)[-3] < 1.0


def test_a_young_process_waits_a_second_at_most_for_a_primary_that_says_nothing(
    django_db_setup: None, frozen: Any
):
    frozen(PRIMARY)

    took_s = []
    for _process in range(3):
        _forget()
        began = time.monotonic()
        assert Client().get("/readyz").status_code == 503
        took_s.append(time.monotonic() - began)

    # A busy machine can lengthen a wait, and shorten none.
    assert min(took_s) < 1.8


def test_most_of_the_fleet_without_the_primary_takes_nobody_out(
    django_db_setup: None, frozen: Any, monkeypatch: pytest.MonkeyPatch
):
    assert Client().get("/readyz").status_code == 200
    # Another process that beats, and says of itself that it is blind.
    other = _OtherProcess()
    monkeypatch.setattr(pulse.process, "_members", [*pulse.process._members, other])
    frozen(PRIMARY)
    wait_until(lambda: Client().get("/readyz").status_code == 503)
    wait_until(lambda: runner.last() is not None and runner.last().fleet_shares_it)

    answer = Client().get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (200, "warn")
    assert _healthz()["status"] == "fail"


class _OtherProcess(pulse.Member):
    name = "another process"

    def queue(self, pipeline: Any) -> None:
        now_ms = time.time() * 1000
        pipeline.zadd("hf:pulse:processes", {"elsewhere": now_ms})
        pipeline.zadd("hf:health:blind", {"elsewhere": now_ms})


def test_healthz_says_what_is_reduced_and_what_it_means(django_db_setup: None, frozen: Any):
    wait_until(lambda: _status("redis:connection") == _status("replica:lag_s") == "pass")
    frozen(REPLICA)
    frozen(REDIS)
    parts = ("redis:connection", "replica:lag_s", "primary:connection")
    answers = [Client().get("/healthz")]

    def seen() -> list[str]:
        answers.append(Client().get("/healthz"))
        return [answers[-1].json()["checks"][part][0]["status"] for part in parts]

    # On a machine that stands still itself the primary, too, was not heard of for a moment.
    wait_until(lambda: seen() == ["fail", "fail", "pass"])
    answer = answers[-1]
    document = answer.json()

    assert (answer.status_code, document["status"]) == (200, "warn"), "orders are accepted all the same"
    reduced = {entry["part"]: entry["meaning"] for entry in document["reduced"]}
    assert reduced["replica:lag_s"].startswith("Reads go to the primary")
    assert reduced["redis:connection"].startswith("Orders are accepted and wait")
    entry = document["checks"]["redis:connection"][0]
    assert (entry["scope"], entry["hard"]) == ("shared", False)


@pytest.mark.django_db(transaction=True)
def test_backlogs_are_measured():
    from datetime import timedelta

    from resilience.clock import now
    from resilience.ids import new_id
    from resilience.saga.models import Saga

    wait_until(lambda: "observedValue" in _healthz()["checks"]["sagas:oldest_due_s"][0])
    assert _status("sagas:oldest_due_s") == "pass"
    Saga.objects.create(
        definition="place_order",
        version=1,
        business_key=new_id(),
        status="running",
        cursor=0,
        due_at=now() - timedelta(minutes=5),
        deadline_at=now(),
        created_at=now(),
    )

    wait_until(lambda: _status("sagas:oldest_due_s") == "fail")

    entry = _healthz()["checks"]["sagas:oldest_due_s"][0]
    assert 299 < entry["observedValue"] < 330
    assert entry["observedUnit"] == "s"
    for name in ("subscriptions:oldest_s", "payments:oldest_in_doubt_s", "webhooks:oldest_unhandled_s"):
        assert _status(name) == "pass"


def test_who_works_is_seen_by_the_work(django_db_setup: None):
    with redis.Redis.from_url(settings.PULSE_REDIS_URL) as client:
        client.delete("hf:health:signs")  # of workers of other tests
    wait_until(
        lambda: _healthz()["checks"]["worker:last_work_s"][0].get("output") == "No worker has shown itself."
    )
    give_sign("worker")

    wait_until(lambda: _status("worker:last_work_s") == "pass")

    assert _status("dispatcher:last_work_s") == "fail"
    (sign,) = signs.all_signs()
    assert (sign.role, sign.process) == ("worker", pulse.process_name())


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_probes_answer_head_and_refuse_other_methods(django_db_setup: None, path: str):
    client = Client()

    assert client.head(path).status_code == 200
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        refused = client.generic(method, path)
        assert refused.status_code == 405
        assert refused.headers["Allow"] == "GET, HEAD"


def test_a_command_that_reads_nothing_starts_no_pulse():
    script = (
        "import django, threading; django.setup();"
        "print([thread.name for thread in threading.enumerate() if thread.name == 'pulse'])"
    )

    answer = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
    )  # fmt: skip

    assert answer.stdout.strip() == "[]"
