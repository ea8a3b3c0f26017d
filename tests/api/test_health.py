import os
import subprocess
import sys
import time

import pytest
from django.test import Client

from resilience.routing import probe, watcher


@pytest.fixture(autouse=True)
def urls(settings) -> None:
    settings.ROOT_URLCONF = "resilience.health.urls"


@pytest.fixture(autouse=True)
def watching_anew():
    """A young process: it has not looked at the primary yet."""
    watcher.stop_watching()
    yield
    watcher.stop_watching()


def test_livez_passes_without_any_look_at_the_database():
    answer = Client().get("/livez")

    assert answer.status_code == 200
    assert answer.json() == {"status": "pass"}
    assert answer.headers["Content-Type"] == "application/health+json"
    assert not watcher._watcher._started


def test_readyz_passes_at_the_first_question_while_the_primary_answers():
    answer = Client().get("/readyz")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/health+json"
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.json() == {
        "status": "pass",
        "checks": {"primary:connection": [{"componentType": "datastore", "status": "pass"}]},
    }


def test_readyz_fails_while_the_primary_refuses_connections(monkeypatch: pytest.MonkeyPatch):
    def refuse(**parameters: object) -> None:
        raise probe.psycopg.OperationalError("connection refused")

    monkeypatch.setattr(probe.psycopg, "connect", refuse)

    answer = Client().get("/readyz")

    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/health+json"
    assert answer.json()["status"] == "fail"


def test_readyz_waits_a_second_at_most_for_a_primary_that_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(probe.psycopg, "connect", lambda **parameters: time.sleep(2))
    client = Client()

    began = time.monotonic()
    first = client.get("/readyz")
    first_s = time.monotonic() - began

    assert first.status_code == 503
    assert 0.9 <= first_s < 1.8


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_answer_head_and_refuse_other_methods(path: str):
    client = Client()

    assert client.head(path).status_code == 200
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        refused = client.generic(method, path)
        assert refused.status_code == 405
        assert refused.headers["Allow"] == "GET, HEAD"


def test_a_command_that_reads_nothing_starts_no_watcher():
    script = (
        "import django, threading; django.setup();"
        "print([thread.name for thread in threading.enumerate() if thread.name.startswith('watch-')])"
    )

    answer = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
    )  # fmt: skip

    assert answer.stdout.strip() == "[]"
