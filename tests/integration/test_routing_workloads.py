"""Workloads and demoted servers, on real ones."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.utils import ConnectionHandler, InternalError
from psycopg.errors import SerializationFailure

from config.stack.servers import Addresses
from resilience.postgres.base import NotWritableError
from resilience.postgres.newest import newest
from resilience.routing import (
    WorkloadBusyError,
    database_for_reads,
    read_on_replica,
    replica_state,
    watcher,
    workload,
)
from tests.integration.test_routing_replica import (
    Api,
    Replica,
    _run,
    _wait,
    _wait_until_replayed,
    api,
    replica,
)

__all__ = ["api", "replica"]

_SLOW_ON_THE_REPLICA = """
    SELECT count(*), (SELECT pg_sleep(CASE WHEN pg_is_in_recovery() THEN 4 ELSE 0 END)) IS NULL
    FROM routing_note
"""
_SLEEPERS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
_HELD_BACK = "SELECT count(*) FROM pg_replication_slots WHERE xmin IS NOT NULL"
_WHO = "SELECT current_user, current_setting('statement_timeout'), current_setting('application_name')"


def _ask(statement: str) -> tuple:
    with connections[database_for_reads()].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()


@pytest.fixture
def watched(api: Api) -> Iterator[Api]:
    _wait(lambda: replica_state() is not None)
    yield api
    connections.close_all()


def test_each_workload_has_a_role_and_limits_of_its_own(watched: Api) -> None:
    with workload("reports"):
        assert _ask(_WHO) == ("holdfast_reports", "30s", "holdfast-reports")
    with workload("dashboard"):
        assert _ask(_WHO) == ("holdfast_dashboard", "3s", "holdfast-dashboard")
    assert _ask(_WHO) == ("holdfast", "5s", "holdfast")


@pytest.mark.parametrize("role", ["holdfast_dashboard", "holdfast_reports"])
def test_a_workload_reads_every_table_and_writes_none(watched: Api, pg: Addresses, role: str) -> None:
    as_role = pg.primary.replace("//holdfast:", f"//{role}:")

    assert _run(as_role, "SELECT count(*) FROM orders_order")[0][0] >= 0
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        _run(as_role, "INSERT INTO routing_note (text) VALUES ('no')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _run(as_role, "BEGIN READ WRITE; INSERT INTO routing_note (text) VALUES ('no')")


def test_a_workload_that_is_busy_says_so_and_holds_up_nobody_else(watched: Api) -> None:
    together = threading.Barrier(3)

    def report() -> None:
        with workload("reports"):
            together.wait(timeout=20)
            together.wait(timeout=20)

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(report) for _report in range(2)]
        together.wait(timeout=20)
        with pytest.raises(WorkloadBusyError) as busy, workload("reports"):
            pass
        with workload("dashboard"):
            assert database_for_reads() == "dashboard"
        together.wait(timeout=20)
        for one in running:
            one.result(timeout=20)
    assert (busy.value.code, busy.value.facts) == ("workload_busy", {"retry_after_s": 1})


def test_a_read_that_vacuum_cancels_is_done_once_more_on_the_primary(
    watched: Api, replica: Replica, pg: Addresses
) -> None:
    """The primary removes rows that the replica's snapshot still sees: the real recovery conflict."""
    for setting in ("hot_standby_feedback TO off", "max_standby_streaming_delay TO 0"):
        replica.run(f"ALTER SYSTEM SET {setting}")
    replica.run("SELECT pg_reload_conf()")
    _wait(lambda: _run(pg.superuser, _HELD_BACK) == [(0,)])
    watched.write("kept")
    _wait_until_replayed(watched.token)
    read_from: list[str] = []
    causes: list[BaseException | None] = []

    def read() -> tuple:
        database = database_for_reads()
        read_from.append(database)
        try:
            with transaction.atomic(using=database), connections[database].cursor() as cursor:
                cursor.execute(_SLOW_ON_THE_REPLICA)
                return cursor.fetchone()
        except OperationalError as error:
            causes.append(error.__cause__)
            raise

    def conflict() -> None:
        _wait(lambda: replica.run(_SLEEPERS) == [(1,)])
        _run(pg.primary, "UPDATE routing_note SET text = text || '.'")
        _run(pg.primary, "VACUUM routing_note")

    try:
        with ThreadPoolExecutor(1) as pool:
            conflicting = pool.submit(conflict)
            found = read_on_replica(read)
            conflicting.result(timeout=20)
    finally:
        for setting in ("hot_standby_feedback", "max_standby_streaming_delay"):
            replica.run(f"ALTER SYSTEM RESET {setting}")
        replica.run("SELECT pg_reload_conf()")

    assert read_from == ["replica", "default"]
    assert [type(cause) for cause in causes] == [SerializationFailure]
    assert found[0] == 1


def test_a_demoted_server_is_left_at_its_first_refusal(watched: Api) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only TO on")
    before = connection.connection

    with pytest.raises(NotWritableError), transaction.atomic():
        watched_write()
    assert before.closed
    watched_write()
    assert connection.connection is not before


def test_a_write_in_a_read_only_transaction_of_a_replica_alias_stays_a_bug(watched: Api) -> None:
    with pytest.raises(InternalError), connections["replica"].cursor() as cursor:
        cursor.execute("INSERT INTO routing_note (text) VALUES ('no')")


def watched_write() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO routing_note (text) VALUES ('kept')")


def test_a_pool_lends_no_connection_to_a_demoted_server(watched: Api) -> None:
    default = connections["default"].settings_dict
    options = {**default["OPTIONS"], "pool": {"min_size": 1, "max_size": 1, "timeout": 5}}
    handler = ConnectionHandler({"default": {**default, "CONN_MAX_AGE": 0, "OPTIONS": options}})
    pooled = handler["default"]
    pooled._connection_pools = {}
    try:
        with pooled.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only TO on")
        demoted = pooled.connection
        pooled.close()
        with pooled.cursor() as cursor:
            cursor.execute("INSERT INTO routing_note (text) VALUES ('kept')")
        assert pooled.connection is not demoted
        assert demoted.closed
    finally:
        pooled.close()
        pooled.close_pool()


def test_a_primary_of_the_past_is_not_connected_to(watched: Api) -> None:
    watcher.stop_watching()
    connection.close()
    newest.see(timeline=7, place="elsewhere:1")
    try:
        with pytest.raises(OperationalError, match="primary of the past"):
            watched_write()
        assert connection.connection is None
    finally:
        newest.forget()
    watched_write()
