"""A request sent again is answered again and done once."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.celery import app
from resilience import clock
from resilience.apikeys.cache import known_keys
from resilience.apikeys.models import ApiKey
from resilience.crashpoints import Fault, arm, disarm_all
from resilience.idempotency import prune as pruning
from resilience.idempotency import store
from resilience.idempotency.models import IdempotencyRecord
from resilience.idempotency.prune import prune
from tests.api import foundation_urls
from tests.api.foundation import Caller, assert_problem

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.api.foundation_urls")]
THINGS = "/api/v1/things"
CALLERS = 50


@pytest.fixture
def caller() -> Iterator[Caller]:
    known_keys.forget_all()
    yield Caller()
    disarm_all()
    foundation_urls.hold.set()


def _make(caller: Caller, name: str = "a", *, key: str = "k", path: str = THINGS, **body: object) -> Any:
    return caller.post(path, {"name": name, **body}, idempotency_key=key)


def test_the_second_request_gets_the_first_answer_byte_for_byte(caller: Caller) -> None:
    first, second = _make(caller), _make(caller)

    assert first.status_code == second.status_code == 201
    assert first.content == second.content == '{"name":"a","ü":"€"}'.encode()
    assert first.headers["Location"] == second.headers["Location"] == "/api/v1/things/a"
    assert first.headers["Content-Type"] == second.headers["Content-Type"] == "application/json"
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Group.objects.count() == 1


def test_a_replay_is_one_statement(caller: Caller) -> None:
    _make(caller)

    with CaptureQueriesContext(connection) as captured:
        _make(caller)

    tables = ("resilience_idempotencyrecord", "auth_group")
    statements = [query["sql"] for query in captured if any(table in query["sql"] for table in tables)]
    assert len(statements) == 1
    assert "pg_try_advisory_xact_lock" in statements[0]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency_key_missing"),
        ("", "idempotency_key_invalid"),
        ("x" * 256, "idempotency_key_invalid"),
        ("x" * 10_000, "idempotency_key_invalid"),
        ("a\tb", "idempotency_key_invalid"),
        ("a\r\nb", "idempotency_key_invalid"),
        ("schl\u00c3\u00bcssel", "idempotency_key_invalid"),
    ],
)
def test_a_missing_or_impossible_key_is_refused_before_any_look(
    caller: Caller, key: str | None, code: str
) -> None:
    headers = {} if key is None else {"idempotency_key": key}

    document = assert_problem(caller.post(THINGS, {"name": "a"}, **headers), 400, code)

    assert [error["field"] for error in document["errors"]] == ["Idempotency-Key"]
    assert (Group.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)


def test_the_longest_key_is_taken(caller: Caller) -> None:
    assert _make(caller, key="~" * 255).status_code == 201


def test_the_same_key_with_another_body_is_a_422_without_effect(caller: Caller) -> None:
    _make(caller, metadata={"n": 1})

    for body in ({"name": "b"}, {"name": "a"}, {"name": "a", "metadata": {"n": 1.0}}):
        assert_problem(caller.post(THINGS, body, idempotency_key="k"), 422, "idempotency_key_reused")
    assert Group.objects.count() == 1


def test_spaces_and_the_order_of_keys_make_no_other_body(caller: Caller) -> None:
    caller.post(THINGS, b'{"name":"a","metadata":{"x":1,"y":2}}', idempotency_key="k")

    again = caller.post(THINGS, b'{ "metadata": {"y":2, "x":1},\n "name": "\\u0061"}', idempotency_key="k")

    assert again.headers["Idempotency-Replayed"] == "true"


def test_another_client_or_endpoint_has_keys_of_its_own(caller: Caller) -> None:
    _make(caller)
    others = [
        _make(Caller(client="other")),
        _make(caller, path=f"{THINGS}/1"),
        _make(caller, path=f"{THINGS}/2"),
        _make(caller, key="K"),
    ]

    assert [answer.status_code for answer in others] == [201] * 4
    assert not any("Idempotency-Replayed" in answer.headers for answer in others)
    assert Group.objects.count() == 5


def test_another_key_of_the_same_client_gets_the_replay(caller: Caller) -> None:
    _make(caller)

    assert _make(Caller()).headers["Idempotency-Replayed"] == "true"


def test_a_caller_that_lost_the_permission_gets_no_stored_answer(caller: Caller) -> None:
    _make(caller)
    ApiKey.objects.update(permissions=["orders.read"])
    known_keys.forget_all()

    assert_problem(_make(caller), 403, "permission_denied")


@pytest.mark.parametrize(
    ("name", "status", "code"), [("refused", 422, "out_of_things"), ("missing", 404, "not_found")]
)
def test_a_final_refusal_undoes_the_effect_and_is_stored(
    caller: Caller, name: str, status: int, code: str
) -> None:
    first, second = _make(caller, name), _make(caller, name)

    assert_problem(first, status, code)
    assert_problem(second, status, code)
    assert first.content == second.content
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (Group.objects.count(), IdempotencyRecord.objects.count()) == (0, 1)


@pytest.mark.parametrize(("name", "status"), [("busy", 503), ("database", 503), ("bug", 500)])
def test_an_answer_that_may_change_is_not_stored(caller: Caller, name: str, status: int) -> None:
    first, second = _make(caller, name), _make(caller, name)

    assert first.status_code == second.status_code == status
    assert "Idempotency-Replayed" not in second.headers
    assert (Group.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)


def test_a_request_refused_for_its_fields_leaves_the_key_free(caller: Caller) -> None:
    assert_problem(_make(caller, ""), 400, "validation_failed")

    assert _make(caller, "a").status_code == 201


def test_fifty_equal_requests_at_once_have_one_effect(caller: Caller) -> None:
    answers = _at_once(lambda: _make(caller))

    assert set(Counter(answer.status_code for answer in answers)) <= {201, 409}
    done = [answer for answer in answers if answer.status_code == 201]
    assert sum("Idempotency-Replayed" not in answer.headers for answer in done) == 1
    assert len({answer.content for answer in done}) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409, "request_in_progress")
    assert (Group.objects.count(), IdempotencyRecord.objects.count()) == (1, 1)


def test_while_the_first_runs_the_others_are_told_to_come_back(caller: Caller) -> None:
    foundation_urls.hold.clear()
    foundation_urls.entered.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_closing(lambda: _make(caller)))
        assert foundation_urls.entered.wait(10)

        during = _at_once(lambda: _make(caller), callers=5)
        other_key = _at_once(lambda: _make(caller, "b", key="k2", path="/api/v1/raising/refused"), callers=1)

        foundation_urls.hold.set()
        answer = first.result(10)

    for turned_away in during:
        assert_problem(turned_away, 409, "request_in_progress")
        assert turned_away.headers["Retry-After"] == "1"
    assert other_key[0].status_code == 405
    assert answer.status_code == 201
    assert _make(caller).headers["Idempotency-Replayed"] == "true"
    assert Group.objects.count() == 1


def test_an_answer_stored_after_our_snapshot_undoes_our_effect_and_is_replayed(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _make(caller)
    look = store.lock_and_find
    blind = [True]
    monkeypatch.setattr(
        store,
        "lock_and_find",
        lambda scope: store.Found(True, None, None) if blind and blind.pop() else look(scope),
    )

    second = _make(caller)

    assert second.content == first.content
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Group.objects.count() == 1


@pytest.mark.parametrize("point", ["idempotency.before_store", "idempotency.before_commit"])
def test_a_failure_between_effect_and_commit_leaves_nothing(caller: Caller, point: str) -> None:
    arm(point, Fault.RAISE)

    failed = _make(caller)

    assert_problem(failed, 500, "internal_error")
    assert (Group.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)
    assert _make(caller).status_code == 201
    assert Group.objects.count() == 1


@pytest.mark.parametrize("point", ["idempotency.before_store", "idempotency.before_commit"])
def test_a_kill_between_effect_and_commit_leaves_nothing(caller: Caller, point: str) -> None:
    script = (
        "import django, sys; django.setup()\n"
        "from django.conf import settings; settings.ROOT_URLCONF = 'tests.api.foundation_urls'\n"
        "from django.test import Client\n"
        "from resilience.crashpoints import Fault, arm\n"
        f"arm({point!r}, Fault.KILL)\n"
        f"Client().post({THINGS!r}, {json.dumps({'name': 'a'})!r}, content_type='application/json',\n"
        f"  headers={{'Authorization': 'Bearer {caller.plaintext}', 'Idempotency-Key': 'k'}})\n"
    )

    killed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(settings.BASE_DIR),
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
        timeout=60,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL
    assert (Group.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)
    again = _when_unlocked(lambda: _make(caller))
    assert again.status_code == 201
    assert "Idempotency-Replayed" not in again.headers


def test_answers_are_kept_a_day_and_pruned_in_batches(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BATCH_ROWS", 2)
    for number in range(5):
        _make(caller, key=f"old{number}")
    now = clock.now()
    IdempotencyRecord.objects.update(created_at=now - timedelta(days=2), expires_at=now)
    _make(caller, key="young")

    assert IdempotencyRecord.objects.get(key="young").expires_at >= now + timedelta(hours=24)
    assert prune(now=now) == 5
    assert prune(now=now) == 0
    assert [record.key for record in IdempotencyRecord.objects.all()] == ["young"]


def test_pruning_is_a_task_that_beat_rings() -> None:
    app.loader.import_default_modules()

    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert "resilience.idempotency.prune" in scheduled
    assert "resilience.idempotency.prune" in app.tasks


def _at_once(call: Callable[[], Any], *, callers: int = CALLERS) -> list[Any]:
    barrier, connecting = Barrier(callers), Lock()

    def together() -> Any:
        with connecting:  # one after the other: fifty at once outlast the time-out on a busy machine
            connection.ensure_connection()
        barrier.wait(60)
        return call()

    with ThreadPoolExecutor(callers) as pool:
        return [future.result(60) for future in [pool.submit(_closing(together)) for _ in range(callers)]]


def _closing(call: Callable[[], Any]) -> Callable[[], Any]:
    def closing() -> Any:
        try:
            return call()
        finally:
            connection.close()

    return closing


def _when_unlocked(call: Callable[[], Any]) -> Any:
    """Call until the server has noticed that the killed process is gone."""
    until = clock.now() + timedelta(seconds=10)
    while (answer := call()).status_code == 409 and clock.now() < until:
        pass
    return answer
