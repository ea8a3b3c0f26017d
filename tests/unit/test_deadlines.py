"""Deadlines: the nearest one holds, and each wait is bounded by what is left of it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from payments.gateways.http import TOO_LATE_S, NoAnswerError, NotReachedError, ThinClient
from resilience.clock import now
from resilience.deadlines import DeadlineExceeded, bounded_s, current, refuse_if_over, remaining_s, within
from resilience.deadlines.messages import HEADER, left_of, stamp
from resilience.rest import waiting
from resilience.rest.deadline_header import read_deadline_s
from resilience.rest.errors import InvalidRequest
from resilience.saga.asking import CALL_S_MIN, call_limit_s, in_context, tries
from tests.unit.scripted_gateway import ScriptedGateway, answer, drip, say_nothing

OK = answer({"ok": True})


def test_without_a_deadline_nothing_is_bounded():
    assert (current(), remaining_s(), bounded_s(7.0)) == (None, None, 7.0)
    refuse_if_over()


def test_a_wait_is_bounded_by_what_is_left():
    with within(5.0):
        assert 4.9 < bounded_s(7.0) <= 5.0
        assert bounded_s(3.0) == 3.0


def test_an_inner_deadline_is_never_later_than_the_outer_one():
    with within(5.0):
        with within(60.0):
            assert 4.9 < (remaining_s() or 0) <= 5.0
        with within(1.0):
            assert 0.9 < (remaining_s() or 0) <= 1.0
        assert 4.9 < (remaining_s() or 0) <= 5.0
    assert remaining_s() is None


def test_when_it_is_over_there_is_no_wait():
    with within(0.0):
        with pytest.raises(DeadlineExceeded):
            bounded_s(1.0)
        with pytest.raises(DeadlineExceeded):
            refuse_if_over()


def test_once_it_is_lifted_nothing_is_bounded():
    with within(0.0):
        deadline = current()
        assert deadline is not None
        deadline.is_lifted = True

        assert (remaining_s(), bounded_s(7.0)) == (None, 7.0)
        refuse_if_over()


# --- The header ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0.0), ("1", 0.001), (" 1500 ", 1.5), ("60000", 60.0), ("999999999", 60.0)]
)
def test_a_header_gives_milliseconds_and_at_most_a_minute(text: str, seconds: float):
    assert read_deadline_s(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5", "1e3", "+5", "٣", "0x10", "1 000", "1" * 10])
def test_a_header_that_is_no_number_is_refused(text: str):
    with pytest.raises(InvalidRequest) as refused:
        read_deadline_s(text)

    (error,) = refused.value.errors
    assert (error.field, error.code) == ("X-Request-Deadline-Ms", "invalid")


# --- Messages --------------------------------------------------------------------------------


def test_a_message_carries_the_moment_and_leaves_what_is_left():
    headers: dict[str, object] = {}
    with within(5.0):
        stamp(headers, now=1000.0)

    assert 1004.9 < headers[HEADER] <= 1005.0  # type: ignore[operator]
    assert 1.9 < (left_of(headers, now=1003.0) or 0) <= 2.0
    assert (left_of(headers, now=1006.0) or 0) < 0


def test_a_message_without_a_deadline_has_no_header():
    headers: dict[str, object] = {}

    stamp(headers, now=1000.0)

    assert (headers, left_of(headers, now=1.0), left_of({HEADER: "soon"}, now=1.0)) == ({}, None, None)


# --- Sagas -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left_s", "limit_s"),
    [(3600.0, 12.0), (12.0, 12.0), (5.0, 5.0), (0.5, CALL_S_MIN), (0.0, 12.0), (-3600.0, 12.0)],
)
def test_a_call_has_its_steps_time_cut_where_the_sagas_deadline_is_near(left_s: float, limit_s: float):
    at = now()

    assert call_limit_s(12.0, now=at, deadline_at=at + timedelta(seconds=left_s)) == limit_s


def test_a_call_finds_its_deadline_and_its_number_on_another_thread():
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(in_context(lambda: (remaining_s(), tries()), limit_s=5.0, tries=7)).result()
        outside = pool.submit(lambda: (remaining_s(), tries())).result()

    assert 4.9 < found[0] <= 5.0
    assert found[1] == 7
    assert outside == (None, 1)
    assert (remaining_s(), tries()) == (None, 1)


def test_calls_of_one_step_do_not_share_a_context():
    """A context can be entered once at a time; two calls of a split tender run together."""
    barrier = threading.Barrier(2)

    def meet() -> float | None:
        barrier.wait(10)
        return remaining_s()

    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(in_context(meet, limit_s=5.0, tries=1)) for _call in range(2)]
        assert all((call.result() or 0) > 4 for call in calls)


# --- HTTP ------------------------------------------------------------------------------------


def client(server: ScriptedGateway) -> ThinClient:
    return ThinClient(origin=server.url, connect_timeout_s=20.0, read_timeout_s=20.0)


def get(thin: ThinClient, server: ScriptedGateway) -> int:
    return thin.request("get", f"{server.url}/v1/x", {})[1]


@pytest.mark.parametrize("silence", [say_nothing, drip], ids=["silent", "dripping"])
def test_a_gateway_is_waited_for_until_the_deadline_and_no_longer(silence: object):
    with ScriptedGateway([silence]) as server:
        began = time.monotonic()
        with within(0.5), pytest.raises(NoAnswerError):
            get(client(server), server)

    assert 0.4 < time.monotonic() - began < 5.0
    assert len(server.requests) == 1


def test_past_the_deadline_not_a_byte_is_sent():
    with ScriptedGateway([OK]) as server:
        thin = client(server)
        get(thin, server)  # so that a connection is open
        with within(TOO_LATE_S / 2), pytest.raises(NotReachedError):
            get(thin, server)
        with within(TOO_LATE_S / 2), pytest.raises(NotReachedError):
            get(client(server), server)

    assert (len(server.requests), server.connections) == (1, 1)


def test_within_the_deadline_a_gateway_answers_as_ever():
    with ScriptedGateway([OK]) as server, within(5.0):
        assert get(client(server), server) == 200


# --- Prefer: wait ----------------------------------------------------------------------------


def test_a_preferred_wait_ends_in_time_to_answer_within_the_deadline():
    began = time.monotonic()
    with within(0.4):
        assert waiting.wait_while(lambda: True, wait_s=30)
        assert (remaining_s() or 0) > -0.2

    assert 0.3 < time.monotonic() - began < 5.0
