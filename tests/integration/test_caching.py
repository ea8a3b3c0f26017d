"""The cache on a real Redis: one load for all, nothing stale after an invalidation, and no Redis at all."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import OperationalError
from redis import Redis

from config.stack.probes import redis_answers
from config.stack.servers import REDIS
from resilience.caching import InvalidationFailedError, Lifetime, MissesQueuedError, Stamp
from resilience.caching.errors import CacheAwayError
from resilience.caching.read_through import ReadThrough
from resilience.caching.store import PREFIX
from tests.caching_kit import MINUTES, THINGS, Process, Time, Truth, elapsed_s, held, in_threads
from tests.harness import Harness
from tests.processes import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
GONE = OperationalError("the server closed the connection")


@pytest.fixture
def url(redis_url: str) -> str:
    """An empty database of the session's Redis."""
    address = f"{redis_url}/5"

    Redis.from_url(address).flushdb()
    return address


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def process(url: str, truth: Truth, time: Time) -> Process:
    return Process(url, truth, clock=time.clock()).meet()


class TestReading:
    def test_a_value_is_loaded_once_and_then_read(self, process: Process, truth: Truth) -> None:
        cache = process.cache()

        assert [cache.get("a", truth.load) for _time in range(5)] == [b"1"] * 5
        assert truth.loads == 1

    def test_other_processes_read_it_too(self, url: str, process: Process, truth: Truth) -> None:
        process.cache().get("a", truth.load)

        # A process that came later believes what has seen as much as the primary had when it came.
        assert Process(url, truth, clock=process.clock).meet().cache().get("a", truth.load) == b"1"
        assert truth.loads == 1

    def test_that_there_is_none_is_remembered_too(self, process: Process, truth: Truth) -> None:
        truth.missing, truth.lifetime = True, Lifetime(1, 1, 1)
        cache = process.cache()

        assert [cache.get("a", truth.load) for _time in range(3)] == [None] * 3
        assert truth.loads == 1

    def test_what_must_not_be_kept_is_not(self, process: Process, truth: Truth) -> None:
        truth.lifetime = None
        cache = process.cache()

        assert [cache.get("a", truth.load) for _time in range(3)] == [b"1"] * 3
        assert truth.loads == 3
        assert cache.peek("a", truth.load) is None

    def test_readers_of_what_must_not_be_kept_do_not_take_turns(self, url: str, truth: Truth) -> None:
        cache, crowd = Process(url, truth).meet().cache(), threading.Barrier(3)
        truth.lifetime = None
        cache.get("a", truth.load)
        truth.meanwhile = lambda: crowd.wait(20)

        assert in_threads(3, lambda _number: cache.get("a", truth.load)) == [b"1"] * 3
        assert truth.at_once_max == 3

    def test_what_neither_is_nor_may_be_kept_leaves_no_trace(
        self, url: str, process: Process, truth: Truth
    ) -> None:
        truth.missing, truth.lifetime = True, None

        assert process.cache().get("a", truth.load) is None
        assert Redis.from_url(url).keys(f"{PREFIX}*") == []

    def test_a_hundred_readers_of_a_cold_key_make_one_load(self, url: str, truth: Truth) -> None:
        caches = [Process(url, truth).meet().cache() for _process in range(4)]

        bodies = in_threads(100, lambda number: caches[number % 4].get("a", truth.load))

        assert bodies == [b"1"] * 100
        assert truth.loads == 1

    def test_where_no_cache_may_answer_it_is_loaded_and_not_kept(
        self, process: Process, truth: Truth
    ) -> None:
        truth.demanded = None

        assert [process.cache().get("a", truth.load) for _time in range(2)] == [b"1"] * 2
        assert process.cache().peek("a", truth.load) is None
        assert truth.loads == 2

    def test_a_refusal_reaches_everybody_and_is_not_kept(self, process: Process, truth: Truth) -> None:
        truth.error = LookupError("there is no such thing")

        errors = in_threads(8, lambda _number: process.cache().get("a", truth.load))

        assert all(isinstance(error, LookupError) for error in errors)
        truth.error = None
        assert process.cache().get("a", truth.load) == b"1"


class TestExpiring:
    def test_what_is_stale_is_served_while_one_refreshes_it(
        self, process: Process, truth: Truth, time: Time
    ) -> None:
        cache = process.cache()
        cache.get("a", truth.load)
        truth.version, time.moment = 2, time.moment + 12

        with held() as meanwhile:
            truth.meanwhile = meanwhile
            assert in_threads(20, lambda _number: cache.get("a", truth.load)) == [b"1"] * 20
        process.settle()

        assert cache.get("a", truth.load) == b"2"
        assert truth.loads == 2

    def test_a_bold_chance_refreshes_before_the_end(self, process: Process, truth: Truth, time: Time) -> None:
        cache = process.cache()
        cache.get("a", truth.load)
        truth.version, time.moment, time.luck = 2, time.moment + 8.9, 1e-300
        # A load of microseconds becomes early only for chances that never come; so it is made to look slow.
        slow = process.store.find("test:a").envelope
        assert slow is not None
        grant = process.store.lease("test:a", token=b"t", lease_s=1, seen=slow.facts())
        process.store.keep("test:a", slow._replace(cost_s=0.5), token=b"t", now=time.moment)
        assert grant.is_granted
        assert cache.get("a", truth.load) == b"1"
        process.settle()

        assert cache.get("a", truth.load) == b"2"

    def test_past_its_grace_a_value_is_loaded_before_it_is_served(
        self, process: Process, truth: Truth, time: Time
    ) -> None:
        process.cache().get("a", truth.load)
        truth.version, time.moment = 2, time.moment + 34

        assert process.cache().get("a", truth.load) == b"2"

    def test_a_source_that_fails_is_stood_in_for_until_the_hard_end(
        self, process: Process, truth: Truth, time: Time
    ) -> None:
        cache = process.cache()
        keys = [f"k{number}" for number in range(50)]
        for key in keys:
            cache.get(key, truth.load)
        truth.error = GONE

        for age_s in (5, 25, 35, 60, 89.9):
            moment, time.moment = time.moment, time.moment + age_s
            assert [cache.get(key, truth.load) for key in keys] == [b"1"] * 50, age_s
            process.settle()
            time.moment = moment
        time.moment += 111
        with pytest.raises(OperationalError):
            cache.get("k0", truth.load)

    def test_a_failing_source_is_asked_once_a_lease_for_what_can_be_served(
        self, process: Process, truth: Truth, time: Time
    ) -> None:
        cache = process.cache()
        cache.get("a", truth.load)
        truth.error, time.moment = GONE, time.moment + 12

        for _read in range(50):
            assert cache.get("a", truth.load) == b"1"
            process.settle()

        assert truth.loads == 2


class TestVoiding:
    def test_nothing_that_was_loaded_before_is_kept_after(self, process: Process, truth: Truth) -> None:
        """The reader took its time, and the value was voided meanwhile."""
        cache = process.cache()

        def change() -> None:
            truth.version = 2
            process.void("a")

        truth.meanwhile = change
        assert cache.get("a", truth.load) == b"1"  # it began to read before the change
        truth.meanwhile = lambda: None

        assert cache.get("a", truth.load) == b"2"

    def test_who_comes_after_it_does_not_join_a_load_from_before(
        self, process: Process, truth: Truth
    ) -> None:
        cache, begun = process.cache(), threading.Event()
        first: list[bytes | None] = []
        with held() as meanwhile:
            truth.meanwhile = lambda: (begun.set(), meanwhile())
            reader = threading.Thread(target=lambda: first.append(cache.get("a", truth.load)))
            reader.start()
            assert begun.wait(20)
            truth.version, truth.meanwhile = 2, lambda: None
            process.void("a")

            assert cache.get("a", truth.load) == b"2"
        reader.join(20)
        assert first == [b"1"]
        assert cache.get("a", truth.load) == b"2"

    def test_who_waits_for_another_process_does_not_join_an_older_load_of_this_one(
        self, url: str, process: Process, truth: Truth
    ) -> None:
        """Here a load from before the voiding is under way, elsewhere one from after it."""
        truth.fixed = Stamp(1, 1)  # so that the leases alone have to tell them apart
        patient = replace(THINGS, lease_s=30.0)
        cache = process.cache(patient)
        other = Process(url, truth, clock=process.clock).meet().cache(patient)
        old, new, bodies = threading.Event(), threading.Event(), []
        truth.meanwhile = lambda: old.wait(20)
        before = _reader(cache, truth, bodies)
        wait_until(lambda: truth.loads == 1)
        truth.version, truth.meanwhile = 2, lambda: new.wait(20)
        process.void("a")
        elsewhere = _reader(other, truth, bodies)
        wait_until(lambda: truth.loads == 2)

        waiting = _reader(cache, truth, bodies)
        wait_until(lambda: process.store.finds >= 3)
        old.set()
        before.join(20)
        new.set()
        elsewhere.join(20)
        waiting.join(20)

        assert bodies == [b"1", b"2", b"2"]

    def test_a_value_that_has_not_seen_it_is_none_even_under_a_lease(
        self, process: Process, truth: Truth
    ) -> None:
        """As from a replica that lags: loaded after the invalidation, and older than it."""
        truth.version = 5
        process.void("a")
        truth.lags_by = 1
        cache = process.cache()
        cache.get("a", truth.load)

        assert process.store.find("test:a").envelope is not None
        assert cache.peek("a", truth.load) is None
        truth.lags_by = 0
        cache.get("a", truth.load)
        assert cache.peek("a", truth.load) is not None

    def test_a_reader_who_has_written_gets_nothing_older(self, process: Process, truth: Truth) -> None:
        cache = process.cache()
        cache.get("a", truth.load)
        truth.version = 2  # and no invalidation has come yet

        truth.demanded = Stamp(1, 2)
        assert cache.get("a", truth.load) == b"2"
        truth.demanded = Stamp(1, 1)
        assert cache.get("a", truth.load) == b"2"
        assert truth.loads == 2

    def test_nor_when_the_source_fails(self, process: Process, truth: Truth) -> None:
        process.cache().get("a", truth.load)
        truth.version, truth.demanded, truth.error = 2, Stamp(1, 2), GONE

        with pytest.raises(OperationalError):
            process.cache().get("a", truth.load)

    def test_an_own_copy_is_asked_for_less_and_lives_no_longer_than_allowed(
        self, process: Process, truth: Truth, time: Time
    ) -> None:
        cache = process.cache(replace(THINGS, local_s=2.0))
        cache.get("a", truth.load)
        truth.version = 2
        process.void("a")

        assert cache.get("a", truth.load) == b"1"
        time.moment += 2.0
        assert cache.get("a", truth.load) == b"2"

    def test_an_entry_of_another_shape_is_none(self, process: Process, truth: Truth) -> None:
        process.cache().get("a", truth.load)

        assert process.cache(replace(THINGS, version=2)).get("a", truth.load) == b"1"
        assert truth.loads == 2

    def test_nothing_in_redis_is_ever_executed(self, url: str, process: Process, truth: Truth) -> None:
        """A pickle in the place of an entry is no entry."""
        name = PREFIX + "test:a"
        Redis.from_url(url).hset(name, mapping={"m": b"\x80\x04cos\nsystem\n.", "b": b"\x80\x04."})

        assert process.cache().get("a", truth.load) == b"1"
        stored = Redis.from_url(url).hget(name, "m")
        assert stored.startswith(b"[1,")


class TestBulkhead:
    def test_loads_at_once_are_limited(self, url: str, truth: Truth) -> None:
        process, crowd = Process(url, truth).meet(), threading.Barrier(THINGS.misses_max)
        truth.meanwhile = lambda: crowd.wait(20)  # as many as may be are there at once

        assert _read_all(process, truth, 24) == [b"1"] * 24
        assert truth.at_once_max == THINGS.misses_max

    def test_who_gets_no_turn_is_told_to_come_back(self, process: Process, truth: Truth) -> None:
        cache = process.cache(replace(THINGS, misses_max=1))
        begun = threading.Event()
        with held() as meanwhile:
            truth.meanwhile = lambda: (begun.set(), meanwhile())
            holder = threading.Thread(target=lambda: cache.get("a", truth.load))
            holder.start()
            assert begun.wait(20)

            with pytest.raises(MissesQueuedError) as refusal:
                cache.get("b", truth.load)
        holder.join(20)
        assert refusal.value.retryable


def _reader(cache: ReadThrough, truth: Truth, bodies: list[bytes | None]) -> threading.Thread:
    """Read on a thread of its own."""
    thread = threading.Thread(target=lambda: bodies.append(cache.get("a", truth.load)))
    thread.start()
    return thread


def _read_all(process: Process, truth: Truth, count: int) -> list[object]:
    cache = process.cache()
    return in_threads(count, lambda number: cache.get(f"k{number}", truth.load))


_HOLDER = """
import sys, time
from tests.caching_kit import Process, Truth
truth = Truth(meanwhile=lambda: (print("holding", flush=True), time.sleep(60)))
Process(sys.argv[1], truth).meet().cache().get("a", truth.load)
"""


class TestDying:
    def test_a_holder_that_is_killed_holds_nobody_longer_than_its_lease(self, url: str, truth: Truth) -> None:
        cache = Process(url, truth).meet().cache()
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, url], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        holder.kill()
        holder.wait(20)

        bodies: list[object] = []
        took_s = elapsed_s(lambda: bodies.extend(in_threads(8, lambda _n: cache.get("a", truth.load))))

        assert bodies == [b"1"] * 8
        assert truth.loads == 1
        assert took_s < THINGS.lease_s + 1


class TestWithoutRedis:
    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
    def test_readers_go_on_and_come_back(
        self, url: str, harness: Harness, truth: Truth, how: signal.Signals
    ) -> None:
        process = Process(url, truth).meet()
        cache = process.cache()
        cache.get("a", truth.load)

        with _redis_away(harness, how):
            # The first pays the time limit, nobody after it.
            assert cache.get("a", truth.load) == b"1"
            truth.version = 2
            assert process.contact.floor() is None
            wait_until(lambda: cache.get("a", truth.load) == b"2", limit_s=5)
            assert elapsed_s(lambda: [cache.get("a", truth.load) for _read in range(100)]) < 1.0
            with pytest.raises(CacheAwayError):
                process.void("a")
            truth.version = 3

        process.meet()
        assert cache.get("a", truth.load) == b"3"
        assert process.store.find("test:a").envelope is not None

    def test_loads_at_once_are_limited_then_too(self, harness: Harness, url: str, truth: Truth) -> None:
        process = Process(url, truth)  # has not met Redis
        process.contact._look_at = float("inf")
        barrier = threading.Barrier(THINGS.misses_max)
        truth.meanwhile = lambda: barrier.wait(20)

        assert _read_all(process, truth, 24) == [b"1"] * 24
        assert truth.at_once_max == THINGS.misses_max

    def test_readers_of_one_key_share_a_load(self, url: str, truth: Truth) -> None:
        process = Process(url, truth)
        process.contact._look_at = float("inf")
        cache = process.cache()
        with held() as meanwhile:
            truth.meanwhile = meanwhile
            reader = threading.Thread(target=lambda: in_threads(20, lambda _n: cache.get("a", truth.load)))
            reader.start()
            wait_until(lambda: truth.loads)
        reader.join(20)

        assert cache.get("a", truth.load) == b"1"
        assert truth.loads == 1

    def test_an_own_copy_stands_in_for_the_source_until_its_hard_end(
        self, process: Process, truth: Truth, time: Time
    ) -> None:
        cache = process.cache()
        cache.get("a", truth.load)
        process.contact.lose("the test says so")
        process.contact._look_at = float("inf")
        truth.error, time.moment = GONE, time.moment + 80

        assert cache.get("a", truth.load) == b"1"
        time.moment += 40
        with pytest.raises(OperationalError):
            cache.get("a", truth.load)

    def test_who_comes_while_another_loads_gets_nothing_past_its_grace(
        self, process: Process, truth: Truth, time: Time
    ) -> None:
        cache = process.cache()
        cache.get("a", truth.load)
        process.contact.lose("the test says so")
        process.contact._look_at = float("inf")
        truth.version, time.moment = 2, time.moment + 80
        both = threading.Barrier(2)
        truth.meanwhile = lambda: both.wait(20) and None

        def second(number: int) -> object:
            if number:
                wait_until(lambda: truth.loads == 2)
                threading.Timer(0.2, both.wait).start()
            return cache.get("a", truth.load)

        assert in_threads(2, second) == [b"2"] * 2
        assert truth.loads == 2

    def test_what_was_seen_to_be_void_does_not_stand_in(
        self, process: Process, truth: Truth, time: Time
    ) -> None:
        cache = process.cache()
        cache.get("a", truth.load)
        truth.version = 2
        process.void("a")
        truth.error = GONE
        with pytest.raises(OperationalError):
            cache.get("a", truth.load)

        process.contact.lose("the test says so")
        process.contact._look_at = float("inf")
        with pytest.raises(OperationalError):
            cache.get("a", truth.load)

    def test_nor_does_what_a_redis_that_came_back_had_forgotten_to_void(
        self, url: str, process: Process, truth: Truth
    ) -> None:
        process.cache().get("a", truth.load)
        truth.version = 2  # the voiding is lost with the Redis that took it
        late = Process(url, truth, clock=process.clock).meet()
        truth.error = GONE
        with pytest.raises(OperationalError):
            late.cache().get("a", truth.load)
        cache = late.cache()
        with pytest.raises(OperationalError):
            cache.get("a", truth.load)

        late.contact.lose("the test says so")
        late.contact._look_at = float("inf")
        with pytest.raises(OperationalError):
            cache.get("a", truth.load)


class TestComingBack:
    def test_one_that_restarts_while_it_is_met_is_not_believed(
        self, url: str, harness: Harness, truth: Truth
    ) -> None:
        process = Process(url, truth)
        floor = process.contact.log_end

        def log_end() -> Stamp:
            found = floor()
            with _redis_away(harness, signal.SIGKILL):
                pass
            return found

        process.contact.log_end = log_end
        assert not process.contact.look()
        process.contact.log_end = floor
        process.meet()

    def test_a_restart_brings_no_value_back_that_was_voided_meanwhile(
        self, url: str, harness: Harness, truth: Truth
    ) -> None:
        """Three processes: one that voids, one that reads all the time, one that has noticed nothing."""
        voids, reads, sleeps = (Process(url, truth).meet() for _process in range(3))
        for process in (reads, sleeps):
            assert process.cache().get("a", truth.load) == b"1"
        Redis.from_url(url).execute_command("WAITAOF", 1, 0, 1000)

        with _redis_away(harness, signal.SIGKILL):
            truth.version = 2
            with pytest.raises(CacheAwayError):
                voids.void("a")
        old = Redis.from_url(url)
        assert old.hget(PREFIX + "test:a", "b") == b"1"  # it is there again

        for process in (reads, sleeps):
            wait_until(lambda process=process: process.cache().get("a", truth.load) == b"2", limit_s=1)
            process.meet()
            assert process.cache().get("a", truth.load) == b"2"

    def test_emptied_it_believes_only_what_is_new(self, url: str, process: Process, truth: Truth) -> None:
        cache = process.cache()
        cache.get("a", truth.load)
        truth.version = 7
        Redis.from_url(url).flushall()

        assert cache.get("a", truth.load) in {b"1", b"7"}  # a copy of this process, a moment old
        process.meet()
        assert process.contact.floor() == Stamp(1, 7)
        assert process.store.find("test:a").floor == Stamp(1, 7)

    def test_a_promotion_voids_what_was_read_before(self, url: str, truth: Truth) -> None:
        timeline = [1]
        process = Process(url, truth).meet()
        process.contact._timeline = lambda: timeline[0]
        process.cache().get("a", truth.load)
        timeline[0], truth.log_end = 2, lambda: Stamp(2, 1)  # type: ignore[method-assign]
        process.contact.log_end = truth.log_end

        assert process.contact.floor() is None
        process.meet()
        assert process.cache().peek("a", truth.load) is None


def test_invalidation_that_failed_is_an_error_that_can_be_retried() -> None:
    assert InvalidationFailedError("x").retryable
    assert MINUTES.soft_s < MINUTES.hard_s


@contextmanager
def _redis_away(harness: Harness, how: signal.Signals) -> Iterator[None]:
    """Have Redis killed or frozen in this block, and answering again behind it."""
    [pid] = harness.supervisor.pids()[REDIS]
    os.kill(pid, how)
    try:
        yield
    finally:
        if how == signal.SIGSTOP:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: redis_answers(harness.addresses.redis)(), meanwhile=harness.supervisor.tick)
