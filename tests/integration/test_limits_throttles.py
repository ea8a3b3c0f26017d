"""One key's limit over many processes, over the real pulse: with Redis, without it, and after a fork."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from uuid import UUID

import pytest
import redis
from django.conf import settings

from config.stack.servers import REDIS
from resilience import pulse
from resilience.ids import new_id
from resilience.limits.bucket import Limit
from resilience.limits.throttles import throttles
from tests.harness import Harness
from tests.processes import wait_until

# Takes as much as it gets for some seconds; tells when each was given (by the clock of all processes).
_TAKER = """
import json, sys, time
from uuid import UUID
import django
django.setup()
from resilience import pulse
from resilience.limits.bucket import Limit
from resilience.limits.throttles import throttles
pulse.ensure_running()
assert pulse.wait_for_turn("redis", limit_s=20)
print("ready", flush=True)
sys.stdin.readline()
key, limit = UUID(sys.argv[1]), Limit(float(sys.argv[2]), int(sys.argv[3]))
until = time.monotonic() + float(sys.argv[4])
given = []
while time.monotonic() < until:
    if throttles.take(key, limit).is_allowed:
        given.append(time.time())
    else:
        time.sleep(0.002)
print(json.dumps(given), flush=True)
"""


@pytest.fixture
def key() -> Iterator[UUID]:
    yield new_id()
    pulse.stop()


def takers(count: int, key: UUID, limit: Limit, *, seconds: float) -> list[list[float]]:
    """Let `count` processes take from one moment on; return when each was given something."""
    command = [sys.executable, "-c", _TAKER, str(key), str(limit.per_s), str(limit.burst), str(seconds)]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    processes = [
        subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        return [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def merged(given: Sequence[Sequence[float]]) -> list[float]:
    """Return all of it with times from the first on."""
    times = sorted(at for one in given for at in one)
    return [at - times[0] for at in times]


@pytest.mark.parametrize("count", [1, 3])
def test_processes_share_one_key_s_rate(key: UUID, count: int) -> None:
    limit, seconds = Limit(100.0, 50), 6.0

    given = merged(takers(count, key, limit, seconds=seconds))

    # The burst once a process at most, within the first beats; the fleet's bucket holds that against them.
    assert (
        sum(at < 0.2 for at in given) <= count * limit.burst + count * 0.2 * limit.per_s + 0.5 * limit.per_s
    )
    assert len(given) <= limit.burst + limit.per_s * (seconds + 0.5)
    # Then the rate: between one beat's worth too many, and a quarter too few for a machine that is busy.
    later = [at for at in given if at > 3.0]
    assert 0.75 * limit.per_s * 3 <= len(later) <= limit.per_s * (3 + 0.5)


def test_a_frozen_and_a_killed_redis_leave_each_process_its_last_share(key: UUID, harness: Harness) -> None:
    limit = Limit(20.0, 5)
    _take_until_settled(key, limit)

    for how in (signal.SIGSTOP, signal.SIGKILL):
        for pid in harness.supervisor.pids()[REDIS]:
            os.kill(pid, how)
        try:
            began_at = time.monotonic()
            given = 0
            while time.monotonic() < began_at + 3:
                given += throttles.take(key, limit).is_allowed
                time.sleep(0.005)
            assert pulse.age_s("redis") > 1.0
            # Alone, it goes on at the rate, since it shared with nobody.
            assert 0.6 * 20 * 3 <= given <= 20 * 3.3 + limit.burst
        finally:
            if how == signal.SIGSTOP:
                for pid in harness.supervisor.pids()[REDIS]:
                    os.kill(pid, signal.SIGCONT)
        wait_until(lambda: pulse.age_s("redis") < 0.5, meanwhile=harness.supervisor.tick)
        # What was spent alone is no debt, nor is what a frozen Redis heard and carries out only now.
        wait_until(lambda: throttles.take(key, limit).is_allowed, limit_s=2.0)


def test_what_redis_carries_out_twice_counts_once(key: UUID) -> None:
    limit = Limit(0.5, 100)
    for _ in range(10):
        throttles.take(key, limit)
    wait_until(lambda: _left(key) is not None and _left(key) <= 92)

    # Beats that report nothing new, and those that say it again.
    after = time.monotonic()
    for _ in range(3):
        assert pulse.wait_for_turn("redis", after=after, limit_s=10)
        after = time.monotonic()

    left = _left(key)
    assert left is not None
    assert 90 <= left <= 95


def test_a_clock_that_was_set_back_locks_nobody_out(key: UUID) -> None:
    limit = Limit(10.0, 100)
    _take_until_settled(key, limit)
    server, fleet_bucket = redis.Redis.from_url(settings.PULSE_REDIS_URL), f"hf:throttle:{key}"
    an_hour_ahead = int(server.time()[0] + 3600) * 1000
    server.hset(fleet_bucket, mapping={"at": an_hour_ahead, "of another life": f"{an_hour_ahead}:1"})

    throttles.take(key, limit)
    wait_until(lambda: int(server.hget(fleet_bucket, "at")) < an_hour_ahead)

    left = _left(key)
    assert left is not None
    assert left > 90
    # Nor does whoever gave a sign by that clock have a share until it has come round.
    assert not server.hexists(fleet_bucket, "of another life")


def test_a_key_that_is_not_asked_for_is_forgotten_everywhere(key: UUID) -> None:
    limit = Limit(1000.0, 10)
    throttles.take(key, limit)
    wait_until(lambda: _left(key) is not None)

    wait_until(lambda: key not in throttles._kept)

    ttl_ms = redis.Redis.from_url(settings.PULSE_REDIS_URL).pttl(f"hf:throttle:{key}")
    assert 0 < ttl_ms <= 61_000


def test_a_forked_child_begins_with_a_bucket_of_its_own_and_shares_the_rate(key: UUID) -> None:
    limit = Limit(1.0, 10)
    while throttles.take(key, limit).is_allowed:
        pass
    wait_until(lambda: _left(key) is not None and _left(key) < 2)

    with throttles._lock:
        child = os.fork()
        if child == 0:
            try:
                first = throttles.take(key, limit).is_allowed  # it has not heard yet
                deadline = time.monotonic() + 10
                while throttles.take(key, limit).is_allowed and time.monotonic() < deadline:
                    time.sleep(0.05)
                os._exit(0 if first and not throttles.take(key, limit).is_allowed else 1)
            finally:
                os._exit(2)
    _pid, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    # What the child gave too much is the fleet's debt, and so its parent's.
    wait_until(lambda: throttles.take(key, limit).retry_after_s > 2)


def test_who_is_refused_is_shown(key: UUID) -> None:
    limit = Limit(1.0, 1)
    for _ in range(4):
        throttles.take(key, limit)

    [reading] = [reading for reading in throttles.read() if reading.key_id == key]

    assert (reading.limit, reading.refused) == (limit, 3)


def _take_until_settled(key: UUID, limit: Limit) -> None:
    throttles.take(key, limit)
    wait_until(lambda: _left(key) is not None)


def _left(key: UUID) -> float | None:
    value = redis.Redis.from_url(settings.PULSE_REDIS_URL).hget(f"hf:throttle:{key}", "left")
    return None if value is None else float(value)
