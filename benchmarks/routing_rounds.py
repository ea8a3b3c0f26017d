"""`python -m benchmarks.routing_rounds [--short]`: who reads stale, and what the replica takes over.

Sessions on real servers, whose replica lags by schedule and is promoted at last. Prints one JSON object.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import django
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.routing_sessions import STRATEGIES, Session, Tally, ours, run_sessions, sessions_for, write
from config.stack.ports import LOOPBACK, pick_port
from config.stack.postgres import Tuning
from config.stack.servers import PRIMARY, REDIS, Addresses, ServerPorts, ServerSecrets, start_servers
from config.stack.supervisor import Supervisor


@dataclass(frozen=True)
class Size:
    """How much of each round."""

    random_pairs: int
    lag_s_max: float
    steady_s: float
    promotion_pairs: int
    decisions: int


SHORT = Size(random_pairs=400, lag_s_max=1.0, steady_s=6.0, promotion_pairs=100, decisions=2_000)
LONG = Size(random_pairs=100_000, lag_s_max=60.0, steady_s=60.0, promotion_pairs=5_000, decisions=50_000)


@contextmanager
def random_lag(replica: str, *, lag_s_max: float) -> Iterator[None]:
    """Stop and resume replay by chance, each time for up to `lag_s_max`, more often for less."""
    over = threading.Event()

    def toggle() -> None:
        random = Random(8)
        with psycopg.connect(replica, autocommit=True) as connection:
            while not over.is_set():
                connection.execute("SELECT pg_wal_replay_pause()")
                over.wait(lag_s_max * random.random() ** 2)
                connection.execute("SELECT pg_wal_replay_resume()")
                over.wait(random.uniform(0.2, lag_s_max / 3))

    thread = threading.Thread(target=toggle)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def decision_us(*, decisions: int) -> float:
    """Return the median time of opening a scope and deciding, in microseconds."""
    from resilience.routing import database_for_reads, parse_token, replica_reads, replica_state

    token = parse_token("1-0/1")
    while replica_state() is None:
        time.sleep(0.05)
    with replica_reads():  # the thread's connection is older than the next sight
        database_for_reads()
    time.sleep(0.6)
    found = Counter[str]()
    times = []
    for _decision in range(decisions):
        with replica_reads(token=token):
            began = time.perf_counter_ns()
            found[database_for_reads()] += 1
            times.append(time.perf_counter_ns() - began)
    assert found["replica"] > decisions * 0.9, found
    return statistics.median(times) / 1000


def _superuser_of_replica(addresses: Addresses) -> str:
    return make_conninfo(addresses.superuser, port=conninfo_to_dict(addresses.replica)["port"])


def measure(supervisor: Supervisor, addresses: Addresses, size: Size) -> dict[str, object]:
    """Run every round."""
    replica = _superuser_of_replica(addresses)
    rounds: dict[str, object] = {
        "lag_s_max": size.lag_s_max,
        "decision_us": decision_us(decisions=size.decisions),
    }
    rounds["lag 1 s"] = steady_lag(replica, seconds=size.steady_s)

    # Every other half of it without Redis, which the router does not need.
    random_tally, sessions = Tally(), sessions_for(500)
    with random_lag(replica, lag_s_max=size.lag_s_max):
        for share in (0.5, 1.0):
            run_sessions(
                sessions,
                until=lambda tally, share=share: tally.reads["ours"] >= share * size.random_pairs,
                strategies=STRATEGIES, tally=random_tally,
            )  # fmt: skip
            for pid in supervisor.pids()[REDIS]:
                os.kill(pid, 9)
    rounds["random lag"] = random_tally.as_dict()
    rounds["promotion"] = promotion(supervisor, addresses, replica, pairs=size.promotion_pairs)
    return rounds


def steady_lag(replica: str, *, seconds: float) -> dict[str, dict[str, float]]:
    """Let the replica apply each commit 1 s late; count once the sessions are not all fresh from a write."""
    sessions, counted = sessions_for(100), Tally()
    with psycopg.connect(replica, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET recovery_min_apply_delay TO '1s'")
        connection.execute("SELECT pg_reload_conf()")
        for tally in (Tally(), counted):
            end = time.monotonic() + seconds
            run_sessions(
                sessions,
                until=lambda _tally, end=end: time.monotonic() > end,
                strategies=STRATEGIES,
                tally=tally,
            )
        connection.execute("ALTER SYSTEM RESET recovery_min_apply_delay")
        connection.execute("SELECT pg_reload_conf()")
    return counted.as_dict()


def promotion(supervisor: Supervisor, addresses: Addresses, replica: str, *, pairs: int) -> dict[str, object]:
    """Kill the primary and promote the replica under the sessions; nothing acknowledged may be lost."""
    with psycopg.connect(addresses.superuser, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names TO '*'")
        connection.execute("SELECT pg_reload_conf()")
    tally, lost_at, again_at = Tally(), [0.0], [0.0]

    def lose() -> None:
        while tally.reads["ours"] < pairs / 2:
            time.sleep(0.01)
        os.kill(supervisor.pids()[PRIMARY][0], 9)
        lost_at[0] = time.monotonic()
        with psycopg.connect(replica, autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")
        _wait_for_write(again_at)

    losing = threading.Thread(target=lose)
    losing.start()
    run_sessions(
        sessions_for(300),
        until=lambda tally: tally.reads["ours"] >= pairs and bool(again_at[0]),
        strategies={"ours": ours}, tally=tally,
    )  # fmt: skip
    losing.join()
    return {**tally.as_dict()["ours"], "writes_again_s": round(again_at[0] - lost_at[0], 2)}


def _wait_for_write(again_at: list[float]) -> None:
    from django import db

    while not again_at[0]:
        try:
            write(Session())
            again_at[0] = time.monotonic()
        except db.Error:
            db.connections.close_all()
            time.sleep(0.05)
    db.connections.close_all()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    size = SHORT if parser.parse_args().short else LONG
    directory = Path(tempfile.mkdtemp(prefix="holdfast-routing-"))
    directory.chmod(0o711)
    random = Random()
    supervisor = Supervisor(logs=directory / "logs", random=random, checkpoint=int, progress=str, report=str)
    try:
        addresses = start_servers(
            supervisor=supervisor,
            directory=directory / "data",
            ports=ServerPorts(*(pick_port(random=random) for _server in range(3))),
            server_secrets=ServerSecrets(),
            tuning=Tuning(),
        )
        _configure(addresses)
        print(json.dumps(measure(supervisor, addresses, size)))
    finally:
        supervisor.stop([])
        shutil.rmtree(directory, ignore_errors=True)


def _configure(addresses: Addresses) -> None:
    login, _, place = addresses.primary.partition("@")
    other = conninfo_to_dict(addresses.replica)["port"]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "HOLDFAST_DATABASE_URL": f"{login}@{place.replace('/', f',{LOOPBACK}:{other}/')}",
        "HOLDFAST_REPLICA_URL": addresses.replica,
        "HOLDFAST_REDIS_URL": addresses.redis,
        "HOLDFAST_LOG_LEVEL": "ERROR",
    }
    django.setup()
    with psycopg.connect(addresses.primary, autocommit=True) as connection:
        connection.execute("CREATE TABLE routing_round (id bigserial PRIMARY KEY)")


if __name__ == "__main__":
    main()
