import os
import socket
import threading

import pytest

from resilience.postgres.newest import Newest, newest
from resilience.postgres.servers import place_of, serves
from resilience.postgres.wires import Wires


class _Info:
    def __init__(self, *, host: str = "one", port: int = 1, **statuses: str) -> None:
        self.host, self.port, self._statuses = host, port, statuses

    def parameter_status(self, name: str) -> str | None:
        return self._statuses.get(name)


@pytest.mark.parametrize(
    ("statuses", "target", "expected"),
    [
        ({"in_hot_standby": "off", "default_transaction_read_only": "off"}, "read-write", True),
        ({"in_hot_standby": "on", "default_transaction_read_only": "off"}, "read-write", False),
        ({"in_hot_standby": "off", "default_transaction_read_only": "on"}, "read-write", False),
        ({"in_hot_standby": "on"}, "primary", False),
        ({"in_hot_standby": "on"}, "prefer-standby", True),
        # A pooler does not pass on what the server says: then the server itself will refuse.
        ({}, "read-write", True),
    ],
)
def test_a_demoted_server_no_longer_serves_who_writes(statuses, target, expected):
    assert serves(_Info(**statuses), target) is expected


def test_an_older_timeline_than_the_newest_is_refused():
    newest = Newest()

    assert newest.see(timeline=1, place="one:1")
    assert newest.see(timeline=2, place="two:2")
    assert not newest.see(timeline=1, place="one:1")
    assert newest.place == "two:2"
    # A standby asked as primary has no timeline to write on.
    assert not newest.see(timeline=0, place="three:3")


def test_a_forked_child_does_not_wait_for_a_lock_of_its_parent():
    with newest._lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if newest._lock.acquire(timeout=1) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_newest_primary_is_tried_before_the_other_hosts():
    newest = Newest()

    assert newest.first("one,two", "1,2") == ("one,two", "1,2")
    newest.see(timeline=2, place="two:2")
    assert newest.first("one,two", "1,2") == ("two,one", "2,1")
    assert newest.first("one", "1") == ("one", "1")
    # libpq takes one port for all hosts: which one is which cannot be told.
    assert newest.first("one,two", "1") == ("one,two", "1")


class _Connection:
    """Stands for psycopg's: a real socket, and what it says of its server."""

    def __init__(self, listener: socket.socket, *, host: str) -> None:
        self.socket = socket.create_connection(listener.getsockname())
        self.info = _Info(host=host, port=listener.getsockname()[1])

    def fileno(self) -> int:
        return self.socket.fileno()


def test_what_hangs_on_another_server_is_cut_and_nothing_else():
    wires = Wires()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hanging, good, reading = (_Connection(listener, host=host) for host in ("old", "new", "old"))
        wires.note("default", hanging)
        wires.note("default", good)
        wires.note("replica", reading)
        ended = threading.Event()
        waiter = threading.Thread(target=lambda: (hanging.socket.recv(1), ended.set()))
        waiter.start()

        cut = wires.cut_all_but(place=place_of(good), alias="default")

        assert cut == 1
        assert ended.wait(10)
        waiter.join()
        for one in (good, reading):
            one.socket.sendall(b"still there")
        for one in (hanging, good, reading):
            one.socket.close()


def test_a_number_that_belongs_to_somebody_else_by_now_is_not_cut():
    wires = Wires()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = _Connection(listener, host="old")
        connection.info.port += 1
        wires.note("default", connection)

        assert wires.cut_all_but(place="new:1", alias="default") == 0
        connection.socket.sendall(b"still there")
        connection.socket.close()
