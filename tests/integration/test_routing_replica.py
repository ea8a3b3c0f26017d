"""Read routing over HTTP, on a real primary and a real streaming replica."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event

import psycopg
import pytest
from django.db import OperationalError, connections, models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client
from django.test.utils import isolate_apps
from django.urls import path
from psycopg.conninfo import make_conninfo

from config.stack.servers import PRIMARY, REPLICA, Addresses
from resilience import clock
from resilience.apikeys.cache import KeyCache
from resilience.apikeys.keys import is_live, issue_key, revoke_key
from resilience.apikeys.models import ApiKey
from resilience.pulse import pulse
from resilience.routing import (
    capture_token,
    database_for_reads,
    parse_token,
    primary_state,
    replica_reads,
    replica_state,
    tokens,
    watcher,
)
from tests.harness import Harness
from tests.processes import frozen

_LIMIT_S = 20.0
_HEADER = "Consistency-Token"

with isolate_apps("resilience"):

    class Note(models.Model):
        text = models.TextField()

        class Meta:
            app_label = "resilience"
            db_table = "routing_note"


def _notes(request: HttpRequest) -> HttpResponse:
    note = Note.objects.create(text=request.body.decode())
    return JsonResponse({"id": note.pk}, status=201)


def _note(request: HttpRequest, id: int) -> HttpResponse:
    note = Note.objects.filter(pk=id).first()
    found = {"text": note.text if note else None, "database": database_for_reads()}
    return JsonResponse(found, status=200 if note else 404)


def _slow_on_the_replica(request: HttpRequest) -> HttpResponse:
    with connections[database_for_reads()].cursor() as cursor:
        cursor.execute("SELECT pg_sleep(CASE WHEN pg_is_in_recovery() THEN 4 ELSE 0 END) FROM routing_note")
    return JsonResponse({"database": database_for_reads()})


def _refuse(request: HttpRequest) -> HttpResponse:
    return JsonResponse({}, status=422)


urlpatterns = [
    path("api/notes", _notes),
    path("api/notes/<int:id>", _note),
    path("api/slow", _slow_on_the_replica),
    path("api/refused", _refuse),
    path("admin/notes/<int:id>", _note),
]


@dataclass
class Replica:
    """The real replica, with its brake."""

    superuser_url: str

    def run(self, statement: str) -> list[tuple]:
        return _run(self.superuser_url, statement)

    def pause(self) -> None:
        self.run("SELECT pg_wal_replay_pause()")
        _wait(lambda: self.run("SELECT pg_get_wal_replay_pause_state()") == [("paused",)])

    def resume(self) -> None:
        self.run("SELECT pg_wal_replay_resume()")


@dataclass
class Api:
    """A storefront, that echoes the token of its last write, or not."""

    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))
    token: str | None = None

    def write(self, text: str) -> int:
        answer = self.client.post("/api/notes", text, content_type="text/plain")
        assert answer.status_code == 201
        self.token = answer.headers[_HEADER]
        return answer.json()["id"]

    def read(self, path: str, *, token: str | None = None) -> tuple[int, dict]:
        headers = {} if token is None else {_HEADER: token}
        answer = self.client.get(path, headers=headers)
        return answer.status_code, json.loads(answer.content)


def _run(url: str, statement: str) -> list[tuple]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _answers(url: str) -> bool:
    try:
        return _run(url, "SELECT 1") == [(1,)]
    except psycopg.OperationalError:
        return False


def _kill(harness: Harness, server: str, *, url: str) -> None:
    """Kill the postmaster; its children notice by themselves."""
    for pid in harness.supervisor.pids()[server]:
        if "-D" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)
    _wait(lambda: not _answers(url))


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def _wait_until_replayed(token: str) -> None:
    def is_replayed() -> bool:
        with replica_reads(token=parse_token(token)):
            return database_for_reads() == "replica"

    _wait(is_replayed)


@pytest.fixture
def replica(pg: Addresses) -> Iterator[Replica]:
    port = psycopg.conninfo.conninfo_to_dict(pg.replica)["port"]
    replica = Replica(superuser_url=make_conninfo(pg.superuser, port=port))
    yield replica
    replica.resume()


@pytest.fixture
def api(replica: Replica, pg: Addresses, settings, django_db_setup, django_db_blocker) -> Iterator[Api]:
    """A client of a server whose replica is up and watched."""
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["resilience.routing.middleware.CausalityMiddleware"]
    with django_db_blocker.unblock():
        # What other tests have written need not be replayed by a server that a test kills.
        _run(pg.superuser, "CHECKPOINT")
        _run(pg.primary, "CREATE TABLE routing_note (id bigserial PRIMARY KEY, text text NOT NULL)")
        _wait_until_replayed(str(capture_token()))
        replica.run("CHECKPOINT")
        yield Api()
        replica.resume()
        watcher.stop_watching()
        connections.close_all()
        _run(pg.primary, "DROP TABLE routing_note")


def test_a_read_with_the_token_of_a_write_sees_it_whatever_the_lag(api: Api, replica: Replica):
    replica.pause()
    id = api.write("kept")

    with_token = api.read(f"/api/notes/{id}", token=api.token)
    without_token = api.read(f"/api/notes/{id}")

    assert with_token == (200, {"text": "kept", "database": "default"})
    assert without_token == (404, {"text": None, "database": "replica"})


def test_the_replica_answers_again_when_it_has_replayed_the_token(api: Api, replica: Replica):
    replica.pause()
    id = api.write("kept")
    replica.resume()
    _wait_until_replayed(api.token)

    assert api.read(f"/api/notes/{id}", token=api.token) == (200, {"text": "kept", "database": "replica"})


@pytest.mark.parametrize(
    "token", ["garbage", "", "1-0/", "1-FFFFFFFF/FFFFFFFF", "4294967295-0/1", "💥", "x" * 5000]
)
def test_a_token_that_nobody_gave_out_is_read_on_the_primary(api: Api, token: str):
    id = api.write("kept")
    _wait_until_replayed(api.token)

    assert api.read(f"/api/notes/{id}", token=token) == (200, {"text": "kept", "database": "default"})


def test_a_read_echoes_a_valid_token_and_no_other(api: Api):
    id = api.write("kept")

    valid = api.client.get(f"/api/notes/{id}", headers={_HEADER: api.token})
    garbage = api.client.get(f"/api/notes/{id}", headers={_HEADER: "garbage"})
    none = api.client.get(f"/api/notes/{id}")

    assert valid.headers[_HEADER] == api.token
    assert _HEADER not in garbage.headers
    assert _HEADER not in none.headers


def test_a_refused_write_gets_no_token(api: Api):
    assert _HEADER not in api.client.post("/api/refused").headers


def test_a_write_whose_token_cannot_be_captured_is_answered_and_read_on_the_primary(
    api: Api, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tokens, "_CAPTURE", "SELECT 1 / 0")

    id = api.write("kept")

    assert api.token == "1-FFFFFFFF/FFFFFFFF"
    assert api.read(f"/api/notes/{id}", token=api.token) == (200, {"text": "kept", "database": "default"})


def test_what_is_not_the_api_reads_the_primary(api: Api):
    id = api.write("kept")
    _wait_until_replayed(api.token)

    assert api.read(f"/admin/notes/{id}") == (200, {"text": "kept", "database": "default"})


def test_a_connection_that_dies_is_answered_by_the_primary(api: Api, replica: Replica, monkeypatch):
    id = api.write("kept")
    _wait_until_replayed(api.token)
    assert api.read(f"/api/notes/{id}") == (200, {"text": "kept", "database": "replica"})
    # The watcher does not see it first.
    monkeypatch.setattr(watcher, "STATE_AGE_S_MAX", 60.0)
    monkeypatch.setattr(watcher.Watcher, "question", lambda self, alias: None)

    replica.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'holdfast'")

    assert api.read(f"/api/notes/{id}") == (200, {"text": "kept", "database": "default"})
    assert replica_state() is None


def test_a_read_that_a_recovery_conflict_cancels_is_answered_by_the_primary(
    api: Api, replica: Replica, pg: Addresses
):
    api.write("kept")
    _wait_until_replayed(api.token)
    replica.run("ALTER SYSTEM SET max_standby_streaming_delay TO 0")
    replica.run("SELECT pg_reload_conf()")
    sleepers = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

    def read() -> tuple[int, dict]:
        try:
            return api.read("/api/slow")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(read)
        _wait(lambda: replica.run(sleepers) == [(1,)])
        _run(pg.primary, "ALTER TABLE routing_note ADD COLUMN extra integer")
        found = answer.result(timeout=_LIMIT_S)
    replica.run("ALTER SYSTEM RESET max_standby_streaming_delay")
    replica.run("SELECT pg_reload_conf()")

    assert found == (200, {"database": "default"})


def test_a_killed_replica_costs_no_read_and_serves_again_when_it_is_back(
    api: Api, replica: Replica, harness: Harness
):
    id = api.write("kept")
    _wait_until_replayed(api.token)
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(_kill, harness, REPLICA, url=replica.superuser_url)
        while_dying = [api.read(f"/api/notes/{id}", token=api.token) for _read in range(200)]
        killing.result(timeout=_LIMIT_S)
    while_dead = [api.read(f"/api/notes/{id}", token=api.token) for _read in range(50)]

    assert {(status, found["text"]) for status, found in while_dying + while_dead} == {(200, "kept")}
    assert while_dead[-1][1]["database"] == "default"

    def serves_again() -> bool:
        harness.supervisor.tick()
        return api.read(f"/api/notes/{id}", token=api.token)[1]["database"] == "replica"

    _wait(serves_again)


def test_a_frozen_replica_lets_go_of_the_reads_that_hang_on_it(api: Api, harness: Harness):
    id = api.write("kept")
    _wait_until_replayed(api.token)
    assert api.read(f"/api/notes/{id}")[1]["database"] == "replica"

    with frozen(harness.supervisor.pids()[REPLICA]):
        began = time.monotonic()
        found = api.read(f"/api/notes/{id}")

    assert found == (200, {"text": "kept", "database": "default"})
    assert time.monotonic() - began < 15


def test_reads_are_served_while_the_primary_is_dead(api: Api, pg: Addresses, harness: Harness):
    id = api.write("kept")
    _wait_until_replayed(api.token)

    _kill(harness, PRIMARY, url=pg.superuser)
    while_dead = [api.read(f"/api/notes/{id}", token=api.token) for _read in range(50)]
    _wait(lambda: primary_state() is None)
    long_after = api.read(f"/api/notes/{id}", token=api.token)

    assert while_dead == [(200, {"text": "kept", "database": "replica"})] * 50
    assert long_after == while_dead[0]

    def is_back() -> bool:
        harness.supervisor.tick()
        return primary_state() is not None

    _wait(is_back)


def test_keys_are_known_while_the_primary_is_dead(api: Api, pg: Addresses, harness: Harness):
    live, _text = issue_key(client="shop", name="web", permissions=["orders.read"], now=clock.now())
    gone, _text = issue_key(client="shop", name="old", permissions=["orders.read"], now=clock.now())
    revoke_key(prefix=gone.prefix, now=clock.now())
    _wait_until_replayed(str(capture_token()))

    _kill(harness, PRIMARY, url=pg.superuser)
    connections["default"].close()
    try:
        found = {key.prefix: KeyCache().find(key.prefix) for key in (live, gone)}
        # What the replica does not know may be known to the primary.
        with pytest.raises(OperationalError):
            KeyCache().find("0" * 12)
    finally:

        def is_back() -> bool:
            harness.supervisor.tick()
            return _answers(pg.superuser)

        _wait(is_back)
        connections.close_all()
        ApiKey.objects.filter(pk__in=[live.pk, gone.pk]).delete()

    assert found[live.prefix] == live
    assert is_live(found[live.prefix], now=clock.now())
    assert not is_live(found[gone.prefix], now=clock.now())


_CLIENTS = 4
_PAIRS = 100


def test_no_client_ever_misses_its_own_write_while_the_lag_comes_and_goes(
    api: Api, replica: Replica, monkeypatch: pytest.MonkeyPatch, record_property
):
    monkeypatch.setattr(pulse, "INTERVAL_S", 0.005)
    over = Event()

    def toggle_lag() -> None:
        random = Random(8)
        while not over.is_set():
            replica.pause()
            over.wait(random.uniform(0.0, 0.15))
            replica.resume()
            over.wait(random.uniform(0.0, 0.15))

    def write_and_read(seed: int) -> Counter[tuple[bool, str]]:
        random, storefront, own = Random(seed), Api(), []
        seen: Counter[tuple[bool, str]] = Counter()
        try:
            for pair in range(_PAIRS):
                own.append(storefront.write(f"{seed}/{pair}"))
                over.wait(random.choice([0.0, 0.0, 0.01, 0.05]))
                # The newest token vouches for every write before it.
                for expected in {pair, random.randrange(pair + 1)}:
                    _status, found = storefront.read(f"/api/notes/{own[expected]}", token=storefront.token)
                    seen[found["text"] == f"{seed}/{expected}", found["database"]] += 1
        finally:
            connections.close_all()
        return seen

    with ThreadPoolExecutor(_CLIENTS + 1) as pool:
        brake = pool.submit(toggle_lag)
        try:
            seen = sum(pool.map(write_and_read, range(_CLIENTS)), Counter())
        finally:
            over.set()
        brake.result(timeout=_LIMIT_S)

    violations = seen[False, "default"] + seen[False, "replica"]
    share = seen[True, "replica"] / seen.total()
    record_property("replica_share", round(share, 3))
    print(f"{seen.total()} reads after writes, {violations} violations, {share:.0%} from the replica")
    assert violations == 0
    assert seen.total() >= _CLIENTS * _PAIRS
    assert 0.0 < share < 1.0
