"""Permits of a dependency: never more than there are, given back whatever happens, forked apart."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from resilience.limits import Bulkhead, BulkheadFull, bulkhead_readings
from tests.processes import wait_until

_names = (f"test-{number}" for number in count())


@pytest.fixture
def name() -> str:
    return next(_names)


def test_a_full_bulkhead_refuses_at_once_and_says_when_to_ask_again(name: str):
    bulkhead = Bulkhead(name, 1, retry_after_s=2.5)

    with bulkhead.permit(), pytest.raises(BulkheadFull) as refusal, bulkhead.permit():
        raise AssertionError("two holders of one permit")

    assert (refusal.value.code, refusal.value.retryable) == ("bulkhead_full", True)
    assert (refusal.value.bulkhead, refusal.value.retry_after_s) == (name, 2.5)
    assert refusal.value.facts["retry_after_s"] == 2.5
    assert (bulkhead.in_flight, bulkhead.rejected) == (0, 1)


def test_a_permit_is_given_back_when_its_holder_raises(name: str):
    bulkhead = Bulkhead(name, 1)

    with pytest.raises(ZeroDivisionError), bulkhead.permit():
        raise ZeroDivisionError

    with bulkhead.permit():
        assert bulkhead.in_flight == 1


def test_never_more_threads_are_inside_than_there_are_permits(name: str):
    bulkhead = Bulkhead(name, 3)
    inside, inside_most, guard = 0, 0, threading.Lock()
    barrier = threading.Barrier(16)

    def hammer() -> tuple[int, int]:
        nonlocal inside, inside_most
        entered = refused = 0
        barrier.wait(20)
        for _ in range(2000):
            try:
                with bulkhead.permit():
                    with guard:
                        inside += 1
                        inside_most = max(inside_most, inside)
                    entered += 1
                    with guard:
                        inside -= 1
            except BulkheadFull:
                refused += 1
        return entered, refused

    with ThreadPoolExecutor(16) as pool:
        counts = [future.result() for future in [pool.submit(hammer) for _ in range(16)]]

    assert 1 <= inside_most <= 3
    assert sum(entered + refused for entered, refused in counts) == 16 * 2000
    assert bulkhead.rejected == sum(refused for _entered, refused in counts)
    assert bulkhead.in_flight == 0


def test_all_permits_can_be_held_at_once(name: str):
    bulkhead = Bulkhead(name, 4)
    together = threading.Barrier(4)

    def hold() -> None:
        with bulkhead.permit():
            together.wait(20)  # breaks unless four are inside

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(hold) for _ in range(4)]:
            future.result()


def test_a_caller_that_may_wait_gets_the_permit_that_is_freed(name: str):
    bulkhead = Bulkhead(name, 1, wait_s_max=20)

    def enter() -> str:
        with bulkhead.permit():
            return "inside"

    with ThreadPoolExecutor(1) as pool:
        with bulkhead.permit():
            waiting = pool.submit(enter)
            wait_until(lambda: bulkhead.read().waiting == 1)
            assert not waiting.done()
        assert waiting.result(20) == "inside"

    assert (bulkhead.in_flight, bulkhead.rejected, bulkhead.read().waiting) == (0, 0, 0)


def test_a_caller_waits_no_longer_than_it_may(name: str):
    bulkhead = Bulkhead(name, 1, wait_s_max=0.01)

    with bulkhead.permit(), pytest.raises(BulkheadFull), bulkhead.permit():
        pass

    assert (bulkhead.rejected, bulkhead.read().waiting) == (1, 0)


def test_no_more_callers_wait_than_may(name: str):
    bulkhead = Bulkhead(name, 1, wait_s_max=20, waiting_max=1)

    def enter() -> None:
        with bulkhead.permit():
            pass

    with ThreadPoolExecutor(1) as pool, bulkhead.permit():
        waiting = pool.submit(enter)
        wait_until(lambda: bulkhead.read().waiting == 1)
        with pytest.raises(BulkheadFull), bulkhead.permit():
            pass
        assert not waiting.done()


def test_a_forked_child_has_all_permits_and_its_parent_keeps_its_own(name: str):
    bulkhead = Bulkhead(name, 1)

    with bulkhead.permit():
        child = os.fork()
        if child == 0:
            try:
                with bulkhead.permit():
                    os._exit(0 if bulkhead.in_flight == 1 and bulkhead.rejected == 0 else 2)
            except BulkheadFull:
                os._exit(1)
        _pid, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert bulkhead.in_flight == 1


def test_a_permit_held_over_a_fork_is_not_given_back_to_the_child(name: str):
    bulkhead = Bulkhead(name, 1)

    with bulkhead.permit():
        child = os.fork()
    if child == 0:
        os._exit(0 if bulkhead.in_flight == 0 else 1)
    _pid, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


def test_the_lock_of_a_thread_that_the_child_does_not_have_does_not_hang_it(name: str):
    bulkhead = Bulkhead(name, 1)

    with bulkhead._taken.lock:
        child = os.fork()
        if child == 0:
            with bulkhead.permit():
                os._exit(0)
    wait_until(lambda: os.waitpid(child, os.WNOHANG)[0] == child)


def test_the_dashboard_reads_every_bulkhead_by_name(name: str):
    bulkhead = Bulkhead(name, 2)

    with bulkhead.permit():
        readings = {reading.name: reading for reading in bulkhead_readings()}

    assert (readings[name].permits_max, readings[name].in_flight, readings[name].rejected) == (2, 1, 0)


@pytest.mark.parametrize(
    ("permits_max", "wait_s_max", "complaint"),
    [(0, 0.0, "at least one permit, not 0"), (-1, 0.0, "not -1"), (1, -0.5, "cannot wait -0.5 s")],
)
def test_a_limit_that_is_none_is_refused(name: str, permits_max: int, wait_s_max: float, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        Bulkhead(name, permits_max, wait_s_max)


def test_a_name_belongs_to_one_bulkhead(name: str):
    first = Bulkhead(name, 1)

    with pytest.raises(ValueError, match="two bulkheads are called"):
        Bulkhead(first.name, 1)
