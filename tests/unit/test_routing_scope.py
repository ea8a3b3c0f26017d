import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connections
from psycopg.errors import QueryCanceled, SerializationFailure

from resilience.flags.testing import held
from resilience.routing import (
    CausalityToken,
    ReadsOverloadedError,
    ReplicaState,
    database_for_reads,
    knowing,
    permits,
    primary_only,
    read_on_replica,
    replica_reads,
    scope,
    watcher,
)
from resilience.routing.flags import REPLICA_READS
from resilience.routing.permits import Permits
from resilience.routing.router import ReplicaRouter

_POSITION = 100
_router = ReplicaRouter()


class _Connection:
    """Stands for an open psycopg connection."""


def _see_replica(monkeypatch: pytest.MonkeyPatch, *, seen_at: float) -> None:
    state = ReplicaState(timeline=1, position=_POSITION, seen_at=seen_at)
    monkeypatch.setattr(watcher, "replica_state", lambda: state)


@pytest.fixture(autouse=True)
def replica(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that answers, at `_POSITION`."""
    _see_replica(monkeypatch, seen_at=time.monotonic() + 60)
    monkeypatch.setattr(connections["replica"], "ensure_connection", lambda: None)
    monkeypatch.setattr(connections["replica"], "connection", _Connection())
    # What stands for a connection cannot be asked whether it still works.
    monkeypatch.setattr(connections["replica"], "close_if_unusable_or_obsolete", lambda: None)


@pytest.fixture
def left_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    monkeypatch.setattr(watcher, "leave_replica_out", lambda: calls.append("left out"))
    return calls


def _token(position: int) -> CausalityToken:
    return CausalityToken(timeline=1, position=position)


def test_outside_a_scope_everything_reads_the_primary():
    assert database_for_reads() == "default"


def test_a_scope_reads_the_replica_that_has_replayed_its_token():
    with replica_reads():
        assert database_for_reads() == "replica"
    with replica_reads(token=_token(_POSITION)):
        assert database_for_reads() == "replica"
    with replica_reads(token=_token(_POSITION + 1)):
        assert database_for_reads() == "default"
    assert database_for_reads() == "default"


def test_a_connection_newer_than_the_last_sight_does_not_vouch_for_a_token(monkeypatch: pytest.MonkeyPatch):
    _see_replica(monkeypatch, seen_at=time.monotonic() - 0.1)

    with replica_reads(token=_token(_POSITION)):
        fresh = database_for_reads()
    with replica_reads():
        without_token = database_for_reads()
    _see_replica(monkeypatch, seen_at=time.monotonic())
    with replica_reads(token=_token(_POSITION)):
        seen_again = database_for_reads()

    assert (fresh, without_token, seen_again) == ("default", "replica", "replica")


def test_a_scope_reads_the_primary_while_no_replica_is_known(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watcher, "replica_state", lambda: None)

    with replica_reads():
        assert database_for_reads() == "default"


def test_a_scope_stays_with_its_first_choice(monkeypatch: pytest.MonkeyPatch):
    with replica_reads():
        database_for_reads()
        monkeypatch.setattr(watcher, "replica_state", lambda: None)
        assert database_for_reads() == "replica"


def test_a_replica_that_refuses_connections_is_left_out(monkeypatch: pytest.MonkeyPatch, left_out: list[str]):
    def refuse() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connections["replica"], "ensure_connection", refuse)

    with replica_reads() as opened:
        assert database_for_reads() == "default"

    assert left_out == ["left out"]
    assert not opened.replica_failed


def test_a_write_keeps_the_scope_and_those_around_it_on_the_primary():
    with replica_reads():
        with replica_reads():
            assert _router.db_for_write(User) == "default"
            assert database_for_reads() == "default"
        assert database_for_reads() == "default"


def test_primary_only_wins_over_a_scope_inside_and_ends_with_its_block():
    with replica_reads():
        with primary_only(), replica_reads():
            assert database_for_reads() == "default"
        assert database_for_reads() == "replica"


def test_a_read_inside_atomic_stays_in_the_transaction(monkeypatch: pytest.MonkeyPatch):
    with replica_reads():
        monkeypatch.setattr(connections["default"], "in_atomic_block", True)
        assert database_for_reads() == "default"
        monkeypatch.setattr(connections["default"], "in_atomic_block", False)
        assert database_for_reads() == "replica"


def test_accounts_and_sessions_are_read_on_the_primary():
    with replica_reads():
        assert _router.db_for_read(User) == "default"


def test_only_the_primary_is_migrated():
    assert _router.allow_migrate("default", "orders") is True
    assert _router.allow_migrate("replica", "orders") is False


@pytest.mark.parametrize(("cause", "failed"), [(SerializationFailure, True), (QueryCanceled, False)])
def test_a_recovery_conflict_blames_the_replica_and_a_slow_query_does_not(
    cause: type[Exception], failed: bool, left_out: list[str]
):
    def execute(*query: object) -> None:
        raise OperationalError from cause()

    # Others wrap queries, too, once a connection was made here (resilience/deadlines).
    before = list(connections["replica"].execute_wrappers)
    with replica_reads() as opened, pytest.raises(OperationalError):
        connections["replica"].execute_wrappers[-1](execute, "SELECT 1", None, False, {})

    assert opened.replica_failed is failed
    assert len(left_out) == failed
    assert connections["replica"].execute_wrappers == before


def test_threads_do_not_see_each_others_scopes():
    threads = 8
    together = threading.Barrier(threads)

    def read(number: int) -> str:
        together.wait(timeout=10)
        if number % 2:
            return database_for_reads()
        connections["replica"].ensure_connection = lambda: None
        connections["replica"].connection = _Connection()
        with replica_reads():
            together_inside.wait(timeout=10)
            return database_for_reads()

    together_inside = threading.Barrier(threads // 2)
    with replica_reads(), ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(read, range(threads)))

    assert found == ["replica", "default"] * (threads // 2)


def test_a_forked_child_forgets_what_its_parent_saw():
    watcher._watcher.see_primary(1, _POSITION, time.monotonic())

    child = os.fork()
    if child == 0:
        os._exit(0 if watcher._watcher.primary_state() is None else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert watcher._watcher.primary_state() is not None


def test_an_inner_scope_knows_of_what_the_outer_one_knows():
    with replica_reads(token=_token(_POSITION + 1)), replica_reads():
        assert database_for_reads() == "default"
    with knowing(_token(_POSITION + 1)), replica_reads(token=_token(1)):
        assert database_for_reads() == "default"
    with knowing(_token(_POSITION)), replica_reads():
        assert database_for_reads() == "replica"
    with knowing(None):
        assert database_for_reads() == "default"


def _lost(monkeypatch: pytest.MonkeyPatch, *, permits_of: int) -> None:
    monkeypatch.setattr(watcher, "replica_state", lambda: None)
    few = Permits(size=permits_of, full=permits._overloaded, wait_s_max=0.01)
    monkeypatch.setattr(scope, "fallback_reads", few)


def test_reads_of_a_lost_replica_are_let_to_the_primary_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch):
    _lost(monkeypatch, permits_of=2)
    inside = threading.Barrier(3)

    def read() -> str:
        with replica_reads():
            found = database_for_reads()
            # The second read of a scope needs no second permit.
            assert database_for_reads() == found
            inside.wait(timeout=10)
            inside.wait(timeout=10)
            return found

    with ThreadPoolExecutor(2) as pool:
        two = [pool.submit(read) for _thread in range(2)]
        inside.wait(timeout=10)
        with replica_reads(), pytest.raises(ReadsOverloadedError) as refused:
            database_for_reads()
        inside.wait(timeout=10)
        assert [one.result(timeout=10) for one in two] == ["default", "default"]
    with replica_reads():
        assert database_for_reads() == "default"
    assert refused.value.facts == {"retry_after_s": 1}


def test_a_reader_ahead_of_a_replica_that_is_hardly_behind_needs_no_permit(monkeypatch: pytest.MonkeyPatch):
    few = Permits(size=1, full=permits._overloaded, wait_s_max=0.01)
    monkeypatch.setattr(scope, "fallback_reads", few)

    with few.permit(), replica_reads(token=_token(_POSITION + 1)):
        assert database_for_reads() == "default"
    late = ReplicaState(timeline=1, position=_POSITION, seen_at=time.monotonic() + 60, lag_s=1.1)
    monkeypatch.setattr(watcher, "replica_state", lambda: late)
    with few.permit(), replica_reads(token=_token(_POSITION + 1)), pytest.raises(ReadsOverloadedError):
        database_for_reads()


def test_a_connection_to_another_server_than_the_one_that_was_seen_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
):
    closed: list[str] = []
    state = ReplicaState(1, _POSITION, time.monotonic() + 60, 0.0, "here:1")
    monkeypatch.setattr(watcher, "replica_state", lambda: state)
    monkeypatch.setattr(connections["replica"], "close", lambda: closed.append("closed"))

    for place, expected in [("here:1", "replica"), ("there:1", "default"), (None, "replica")]:
        monkeypatch.setattr(scope, "place_of", lambda _connection, place=place: place)
        with replica_reads():
            assert database_for_reads() == expected
    assert closed == ["closed"]


def test_a_read_that_fails_on_the_replica_is_done_once_more_on_the_primary(left_out: list[str]):
    seen: list[str] = []

    def read() -> str:
        seen.append(database_for_reads())
        if seen[-1] == "replica":
            wrap = connections["replica"].execute_wrappers[-1]

            def conflict(*_query: object) -> None:
                raise OperationalError from SerializationFailure()

            wrap(conflict, "SELECT 1", None, False, {})
        return "found"

    assert read_on_replica(read) == "found"
    assert seen == ["replica", "default"]


def test_a_read_that_fails_by_itself_is_not_repeated():
    seen: list[str] = []

    def read() -> str:
        seen.append(database_for_reads())
        raise OperationalError("on the primary or elsewhere")

    with pytest.raises(OperationalError):
        read_on_replica(read)
    assert seen == ["replica"]


def test_with_the_switch_off_the_replica_is_left_alone():
    with held(REPLICA_READS, on=False), replica_reads():
        assert database_for_reads() == "default"
    with held(REPLICA_READS, on=True), replica_reads():
        assert database_for_reads() == "replica"
