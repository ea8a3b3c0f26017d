"""Failover of two real servers: nobody leads beside the leader, and what was promised is there."""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg
import pytest

from config.stack import postgres
from config.stack.cluster import Cluster
from config.stack.errors import StackError
from config.stack.network import Proxied
from config.stack.ports import pick_port
from config.stack.postgres import Tuning
from config.stack.proxy.client import ProxyClient
from config.stack.servers import (
    PRIMARY,
    REPLICA,
    Leadership,
    ServerPorts,
    ServerSecrets,
    start_servers_led,
)
from config.stack.supervisor import FencedError, Standing, Supervisor
from tests.harness import FOLDER
from tests.processes import is_alive, wait_until

TUNING = Tuning(shared_buffers="16MB", fsync=False)
STREAM = f"{REPLICA}-to-{PRIMARY}"


@dataclass
class Place:
    """Where servers live from one start to the next."""

    directory: Path
    ports: ServerPorts
    secrets: ServerSecrets
    leader: str = PRIMARY
    reports: list[str] = field(default_factory=list)

    def remember(self, leader: str) -> None:
        self.leader = leader

    @property
    def url(self) -> str:
        both = (self.ports.primary, self.ports.replica)
        address = postgres.application_url(password=self.secrets.application, ports=both)
        return f"{address}?target_session_attrs=read-write"


@pytest.fixture
def place() -> Iterator[Place]:
    directory = Path(tempfile.mkdtemp(prefix="holdfast-cluster-"))
    directory.chmod(0o711)
    random = Random()
    yield Place(
        directory=directory,
        ports=ServerPorts(*(pick_port(random=random) for _server in range(3))),
        secrets=ServerSecrets(),
    )
    shutil.rmtree(directory)


@contextmanager
def running(
    place: Place, *, proxied: Proxied | None = None, synchronous: bool = False
) -> Iterator[tuple[Supervisor, Cluster]]:
    supervisor = Supervisor(
        logs=place.directory / "logs",
        random=Random(1),
        checkpoint=lambda: None,
        progress=lambda _part: None,
        report=place.reports.append,
    )
    stream_port = Leadership().stream_port
    if proxied is not None:
        port = proxied.port(who=REPLICA, whom=PRIMARY, port=place.ports.primary)
        stream_port = lambda _follower, _leader: port  # noqa: E731
        supervisor.start(proxied.part(folder=FOLDER))
    try:
        servers = start_servers_led(
            supervisor=supervisor,
            directory=place.directory / "data",
            ports=place.ports,
            server_secrets=place.secrets,
            tuning=TUNING,
            leadership=Leadership(
                leader=place.leader,
                remember=place.remember,
                stream_port=stream_port,
                synchronous=synchronous,
            ),
        )
        yield supervisor, servers.cluster
    finally:
        supervisor.stop([REPLICA, PRIMARY])


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def caught_up(cluster: Cluster) -> bool:
    (row,) = execute(
        cluster.leader.superuser_url,
        "SELECT count(*) = 1 AND bool_and(replay_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication",
    )
    return row == (True,)


def test_after_a_failover_everybody_finds_the_new_leader_and_the_old_one_stays_away(place: Place) -> None:
    with running(place) as (supervisor, cluster):
        execute(place.url, "CREATE TABLE told (what text)")
        execute(place.url, "INSERT INTO told VALUES ('before')")
        wait_until(lambda: caught_up(cluster))
        old = cluster.leader

        answer = cluster.fail_over()

        assert (answer["leader"], answer["fenced"], place.leader) == (REPLICA, PRIMARY, REPLICA)
        execute(place.url, "INSERT INTO told VALUES ('after')")
        assert execute(cluster.leader.url, "SELECT what FROM told") == [("before",), ("after",)]
        # Nothing that the supervisor does brings it back.
        for _tick in range(30):
            supervisor.tick()
        with pytest.raises(FencedError):
            supervisor.resume(PRIMARY)
        with pytest.raises(psycopg.OperationalError, match="refused"):
            psycopg.connect(old.url)
        with pytest.raises(StackError, match="nobody to promote"):
            cluster.fail_over()
        assert cluster.leader.name == REPLICA


def test_a_rebuilt_server_follows_and_can_lead_again(place: Place) -> None:
    with running(place) as (supervisor, cluster):
        execute(place.url, "CREATE TABLE told (what text)")
        wait_until(lambda: caught_up(cluster))
        cluster.fail_over()
        execute(place.url, "INSERT INTO told VALUES ('while it was away')")

        cluster.rebuild()

        wait_until(lambda: caught_up(cluster))
        follower = cluster.follower
        assert (follower.name, supervisor.standings()[PRIMARY]) == (PRIMARY, Standing.UP)
        assert execute(follower.url, "SELECT what, pg_is_in_recovery() FROM told") == [
            ("while it was away", True)
        ]
        cluster.fail_over()
        execute(place.url, "INSERT INTO told VALUES ('and back')")
        assert cluster.leader.name == PRIMARY
        assert len(execute(place.url, "SELECT what FROM told")) == 2


def test_only_a_fenced_server_is_rebuilt(place: Place) -> None:
    with running(place) as (_supervisor, cluster):
        execute(place.url, "CREATE TABLE told (what text)")

        with pytest.raises(StackError, match="postgres-replica is not fenced"):
            cluster.rebuild()

        assert execute(place.url, "SELECT count(*) FROM told") == [(0,)]


def test_the_next_start_has_the_same_leader_and_makes_the_old_one_its_copy(place: Place) -> None:
    with running(place) as (_supervisor, cluster):
        execute(place.url, "CREATE TABLE told (what text)")
        wait_until(lambda: caught_up(cluster))
        cluster.fail_over()
        execute(place.url, "INSERT INTO told VALUES ('on the new leader only')")

    with running(place) as (_supervisor, cluster):
        assert (cluster.leader.name, cluster.follower.name) == (REPLICA, PRIMARY)
        wait_until(lambda: caught_up(cluster))
        assert execute(cluster.follower.url, "SELECT what FROM told") == [("on the new leader only",)]


def test_a_failover_that_was_interrupted_before_the_promotion_is_finished_at_the_next_start(
    place: Place,
) -> None:
    with running(place) as (_supervisor, cluster):
        execute(place.url, "CREATE TABLE told (what text)")
        wait_until(lambda: caught_up(cluster))
        # What `fail_over` does first, and then the machine is switched off.
        place.remember(REPLICA)

    with running(place) as (_supervisor, cluster):
        execute(place.url, "INSERT INTO told VALUES ('written')")
        assert execute(cluster.leader.url, "SELECT pg_is_in_recovery()") == [(False,)]
        assert cluster.leader.name == REPLICA
        wait_until(lambda: caught_up(cluster))


def test_a_backend_that_lost_its_postmaster_is_fenced_too(place: Place) -> None:
    with (
        running(place) as (_supervisor, cluster),
        psycopg.connect(cluster.leader.url, autocommit=True) as connection,
    ):
        (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone() or ()
        # Stopped, it cannot notice that its postmaster is gone.
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: caught_up(cluster))

        cluster.fail_over()

        assert not is_alive(pid)


# Commits that were acknowledged are only lost when the replica has not got them: on one machine that
# takes a stream that is held back (research: reliability, section 0).
@pytest.mark.parametrize("synchronous", [False, True])
def test_what_a_failover_loses(place: Place, synchronous: bool) -> None:
    random = Random()
    proxied = Proxied(control_port=pick_port(random=random), pick=lambda _name: pick_port(random=random))
    with running(place, proxied=proxied, synchronous=synchronous) as (_supervisor, cluster):
        execute(place.url, "CREATE TABLE told (number int)")
        wait_until(lambda: caught_up(cluster))
        stream = ProxyClient(url=proxied.control_url)
        stream.behave([STREAM], latency_ms=150)
        acknowledged = write_until_refused(cluster, enough=20, meanwhile=lambda: stream.cut([STREAM]))

        kept = {number for (number,) in execute(place.url, "SELECT number FROM told")}

    lost = acknowledged - kept
    print(f"synchronous={synchronous}: {len(acknowledged)} acknowledged, {len(lost)} lost")
    assert len(acknowledged) >= 20
    assert (len(lost) == 0) is synchronous


def write_until_refused(cluster: Cluster, *, enough: int, meanwhile: Callable[[], object]) -> set[object]:
    """Commit numbers one by one until a failover ends the connection; return those acknowledged."""
    acknowledged: set[object] = set()

    def write() -> None:
        try:
            with psycopg.connect(cluster.leader.url, autocommit=True) as connection:
                for number in range(100_000):
                    connection.execute("INSERT INTO told VALUES (%s)", [number])
                    acknowledged.add(number)
        except psycopg.OperationalError:
            return

    writer = threading.Thread(target=write)
    writer.start()
    wait_until(lambda: len(acknowledged) >= enough)
    meanwhile()
    cluster.fail_over()
    writer.join(10)
    assert not writer.is_alive()
    return acknowledged
