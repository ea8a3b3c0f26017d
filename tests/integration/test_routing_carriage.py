"""A task reads nothing older than what its sender had written, through a real broker and worker."""

import threading
from collections.abc import Iterator

import pytest
from celery.contrib.testing.worker import start_worker
from django.db import connection, connections, transaction

from config.celery import app
from config.stack.servers import Addresses
from resilience.routing import database_for_reads, primary_only, replica_reads, watcher
from resilience.routing.carriage import HEADER, send_token, with_token_of
from tests.integration.test_routing_replica import Api, Replica, _wait_until_replayed, api, replica
from tests.processes import wait_until

__all__ = ["api", "replica"]

_QUEUE = "routing-carriage"
_seen: list[tuple[str, str]] = []


@app.task(name="tests.routing.look")
def look(name: str) -> None:
    """Say which database a task may read that may read the replica."""
    with replica_reads():
        _seen.append((name, database_for_reads()))


@pytest.fixture
def worker(api: Api) -> Iterator[None]:
    _seen.clear()
    with start_worker(app, pool="solo", queues=[_QUEUE], perform_ping_check=False, shutdown_timeout=30):
        yield


def _look() -> str:
    name = f"look {len(_seen)}"
    look.apply_async(args=[name], queue=_QUEUE)
    wait_until(lambda: name in dict(_seen))
    return dict(_seen)[name]


def test_a_task_waits_on_no_replica_that_its_sender_is_ahead_of(
    worker: None, api: Api, replica: Replica, pg: Addresses
) -> None:
    api.write("before")
    _wait_until_replayed(api.token)
    # The worker's connection vouches for the token once it is older than the last sight of the replica.
    wait_until(lambda: _look() == "replica")
    replica.pause()
    api.write("ahead")

    assert [_look(), _look()] == ["default", "default"]
    replica.resume()
    _wait_until_replayed(api.token)
    wait_until(lambda: _look() == "replica")


def test_a_message_sent_inside_a_transaction_is_ahead_of_every_replica(api: Api) -> None:
    headers: dict[str, str] = {}
    with transaction.atomic():
        send_token(headers)

    assert headers == {HEADER: "1-FFFFFFFF/FFFFFFFF"}


def test_a_sender_that_never_met_the_primary_passes_on_what_it_was_told(api: Api) -> None:
    passed_on: dict[str, str] = {}
    nothing: dict[str, str] = {}

    def send() -> None:
        assert connections["default"].connection is None
        send_token(nothing)
        with with_token_of({HEADER: "1-0/5"}), with_token_of({HEADER: "1-0/3"}):
            send_token(passed_on)

    thread = threading.Thread(target=send)
    thread.start()
    thread.join()

    assert nothing == {}
    assert passed_on == {HEADER: "1-0/5"}


def test_a_header_that_is_no_token_reads_the_primary(api: Api) -> None:
    wait_until(lambda: watcher.replica_state() is not None)
    with with_token_of({HEADER: "garbage"}), replica_reads():
        assert database_for_reads() == "default"
    with with_token_of({}), replica_reads():
        assert database_for_reads() == "replica"
    with with_token_of({}), primary_only():
        assert database_for_reads() == "default"
    connection.close()
