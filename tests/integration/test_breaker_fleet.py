"""Breakers of real processes on a real Redis: they open together, probe by leases, and outlive the dead."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import redis

from benchmarks.breaker_crew.crew import Dependency, crew
from benchmarks.breaker_crew.notes import Notes, Orders
from config.stack.servers import REDIS
from resilience.breaker import BreakerPolicy, BreakerState
from resilience.breaker.board import Board
from resilience.breaker.report import Ended, Proposal, Report, Verdict
from resilience.breaker.wire import SCRIPT, read, written
from tests.harness import Harness
from tests.processes import frozen, wait_until

LIMIT_S = 60.0
pytestmark = pytest.mark.usefixtures("django_db_setup")


@pytest.fixture
def pulse_redis(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(f"{redis_url}/2")
    client.flushdb()
    yield client
    client.close()


@pytest.fixture
def dependency() -> Iterator[Dependency]:
    one = Dependency()
    one.up()
    yield one
    one.answer()
    one.down()


def told(client: redis.Redis, process: str, report: Report) -> Verdict:
    return read(client.eval(SCRIPT, 0, process, written([report])))[report.name]


# The script is the board


def test_the_script_says_what_the_model_says(pulse_redis: redis.Redis) -> None:
    for seed in range(6):
        _compare(pulse_redis, Random(seed), f"compared:{seed}")


def _compare(client: redis.Redis, random: Random, name: str) -> None:
    board, version, out = Board(), 0, dict.fromkeys("abcd", ())
    for _ in range(80):
        process = random.choice("abcd")
        held = out[process]
        given_back = [token for token in held if random.random() < 0.5]
        ended = tuple(Ended(token, random.choice([True, False, None])) for token in given_back)
        held = tuple(token for token in held if token not in given_back)
        proposal = None
        if random.random() < 0.4:
            proposal = Proposal(
                random.choice([version, version, version - 1]),
                version + 1,
                random.choice(list(BreakerState)),
                5.0,
                2.0,
                "chance",
            )
        report = Report(
            name=name,
            version=random.choice([version, version - 1]),
            total=random.randrange(5),
            failed=random.randrange(3),
            slow=random.randrange(3),
            answered_ago_s=random.choice([None, None, 0.0, 5.0, 50.0]),
            streak=random.randrange(3),
            streak_ago_s=random.choice([2.0, 20.0]),
            is_reporting=random.random() < 0.8,
            is_failing=random.random() < 0.4,
            retry_after_s=random.choice([0.0, 30.0]),
            leases_wanted=random.randrange(3),
            leases_held=held,
            leases_ended=ended,
            proposal=proposal,
            probes_at_once=2,
            probes_needed=3,
            lease_s=60.0,
        )
        theirs, ours = told(client, process, report), board.exchange(process, report, now=time.time())
        out[process] = (*held, *ours.leases)
        version = ours.condition.version
        assert _comparable(theirs) == _comparable(ours)


def _comparable(verdict: Verdict) -> tuple[object, ...]:
    condition, figures = verdict.condition, verdict.figures
    return (
        condition.state,
        condition.version,
        condition.reason,
        round(condition.wait_s),
        round(condition.until - condition.since),
        (figures.total, figures.failed, figures.slow, figures.streak),
        (figures.failing_workers, figures.reporting_workers, figures.probes_passed, figures.probes_failed),
        round(figures.retry_after_s / 10),
        verdict.leases,
        set(verdict.failing),
        verdict.is_moved,
    )


def test_a_lease_expires_by_the_servers_clock(pulse_redis: redis.Redis) -> None:
    opened = Proposal(0, 1, BreakerState.HALF_OPEN, 0.0, 1.0, "x")
    asking = Report("expiring", leases_wanted=5, probes_at_once=2, probes_needed=3, lease_s=0.3)
    first = told(pulse_redis, "a", Report("expiring", proposal=opened, lease_s=0.3))
    assert first.is_moved

    assert len(told(pulse_redis, "a", asking).leases) == 2
    assert told(pulse_redis, "b", asking).leases == ()
    begun_at = time.monotonic()
    wait_until(lambda: told(pulse_redis, "b", asking).leases)

    assert 0.2 < time.monotonic() - begun_at < 2


def _set_clock_back(client: redis.Redis, name: str, *, by_s: float) -> None:
    """Move all that is noted of a breaker as far ahead as its server's clock was set back."""
    key, by_ms = f"hf:breaker:{name}", int(by_s * 1000)
    for field in ("heard", "since", "until", "wished", "streak_since"):
        client.hincrby(key, field, by_ms)
    for sorted_set in (f"{key}:leases", f"{key}:reporting", f"{key}:failing"):
        for member in client.zrange(sorted_set, 0, -1):
            client.zincrby(sorted_set, by_ms, member)


def test_a_server_whose_clock_is_set_back_holds_nothing_longer(pulse_redis: redis.Redis) -> None:
    lease_s = 0.3
    opening = Report("x", proposal=Proposal(0, 1, BreakerState.HALF_OPEN, 0.0, 1.0, "dead"))
    told(pulse_redis, "a", opening)
    prober = Report(
        "x", 1, is_reporting=True, is_failing=True, leases_wanted=1, lease_s=lease_s, retry_after_s=20.0
    )
    assert told(pulse_redis, "a", prober).leases
    _set_clock_back(pulse_redis, "x", by_s=3600.0)

    at_once = told(pulse_redis, "b", Report("x", 1, leases_wanted=1, lease_s=lease_s))
    time.sleep(lease_s + 0.1)
    later = told(pulse_redis, "b", Report("x", 1, leases_wanted=1, lease_s=lease_s))

    assert at_once.leases == ()
    assert len(later.leases) == 1
    assert -2.0 < later.condition.since <= 0.0
    assert 15.0 < later.figures.retry_after_s <= 20.0
    noted = [pulse_redis.zscore(f"hf:breaker:x:{which}", "a") for which in ("reporting", "failing")]
    assert all(score is not None and score <= time.time() * 1000 for score in noted)


def test_leases_outlive_a_frozen_server(pulse_redis: redis.Redis, harness: Harness) -> None:
    opened = Proposal(0, 1, BreakerState.HALF_OPEN, 0.0, 1.0, "x")
    told(pulse_redis, "a", Report("frozen", proposal=opened))
    asking = Report("frozen", leases_wanted=5, probes_at_once=2, probes_needed=3, lease_s=0.8)
    assert len(told(pulse_redis, "a", asking).leases) == 2

    with frozen(harness.supervisor.pids()[REDIS]):
        time.sleep(1.2)  # longer than the lease; nothing can be waited for, as nothing happens

    assert told(pulse_redis, "b", asking).leases == ()


# Real processes


def _crew(dependency: Dependency, workers: int, name: str, tmp_path: Path):
    return crew(
        workers=workers,
        guard="ours",
        name=name,
        port=dependency.port,
        directory=tmp_path,
        environment={},
    )


def _warm(notes: Notes, dependency: Dependency, pace_per_s: float) -> None:
    notes.orders = Orders(pace_per_s, dependency.port)
    wait_until(lambda: all(one.passed for one in notes.all()), limit_s=LIMIT_S)


def test_forty_processes_stop_calling_what_is_dead(
    pulse_redis: redis.Redis, dependency: Dependency, tmp_path: Path
) -> None:
    with _crew(dependency, 40, "dead:port", tmp_path) as notes:
        _warm(notes, dependency, 0.5)
        before = sum(one.attempts for one in notes.all())
        dependency.down()

        wait_until(lambda: all(one.open_at for one in notes.all()), limit_s=LIMIT_S)

        reached = sum(one.attempts for one in notes.all()) - before
        took_s = max(one.open_at for one in notes.all()) - min(
            one.first_failed_at for one in notes.all() if one.first_failed_at
        )
        open_until = time.monotonic() + 3
        wait_until(lambda: time.monotonic() > open_until)
        probed = sum(one.attempts for one in notes.all()) - before - reached
    print(f"{reached} calls reached it; all 40 knew after {took_s:.2f} s")
    # The claim (docs/benchmarks.md) is for a machine with time for forty processes. On a busy one they know
    # later; however late, they have called at their pace until then and no more.
    assert reached <= 2 * 20 * took_s + 10
    assert probed <= 10


def test_one_broken_worker_of_twenty_never_opens_the_fleet(
    pulse_redis: redis.Redis, dependency: Dependency, tmp_path: Path
) -> None:
    with _crew(dependency, 20, "one:broken", tmp_path) as notes:
        _warm(notes, dependency, 4.0)
        notes.orders = Orders(4.0, dependency.port, broken=1)
        passed = notes.read(5).passed

        wait_until(lambda: notes.read(0).rejected > 5 and notes.read(5).passed > passed + 20, limit_s=LIMIT_S)

        assert not any(one.open_at for one in notes.all())
        assert sum(one.rejected for one in notes.all()[1:]) == 0
        assert sum(one.failed for one in notes.all()[1:]) == 0


def test_a_killed_probers_lease_is_free_after_it_and_probes_stay_within_the_limit(
    pulse_redis: redis.Redis, dependency: Dependency, tmp_path: Path
) -> None:
    policy = BreakerPolicy()
    with _crew(dependency, 10, "kill:prober", tmp_path) as notes:
        _warm(notes, dependency, 4.0)
        dependency.down()
        wait_until(lambda: all(one.open_at for one in notes.all()), limit_s=LIMIT_S)
        dependency.hold()
        dependency.most_at_once = 0
        dependency.up()
        wait_until(lambda: len(dependency.pids()) == policy.probes_at_once, limit_s=LIMIT_S)
        # Longer than a lease, and nobody else gets in: the leases of the living are renewed.
        held_until = time.monotonic() + policy.lease_s + 1
        wait_until(lambda: time.monotonic() > held_until)
        assert dependency.most_at_once == policy.probes_at_once

        killed = dependency.pids()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        killed_at = time.monotonic()
        wait_until(lambda: set(dependency.pids()) - set(killed))
        took_s = time.monotonic() - killed_at

        print(f"probed again {took_s:.2f} s after the kill; the lease is {policy.lease_s} s")
        assert policy.lease_s - 0.5 <= took_s <= policy.lease_s + 1.0
        wait_until(lambda: len(dependency.pids()) == policy.probes_at_once)
        assert dependency.most_at_once <= policy.probes_at_once
        dependency.answer()
        passed = [one.passed for one in notes.all()]
        wait_until(
            lambda: (
                sum(one.passed > before for one, before in zip(notes.all(), passed, strict=True))
                == 10 - len(killed)
            ),
            limit_s=LIMIT_S,
        )
