"""Threads that share a stream: each item once, none in advance, and one end for all."""

import threading
from collections.abc import Iterator

import pytest

from config.replay.crew import paced, work_through
from config.replay.errors import StoppedError
from tests.replay_kit import Hours


def test_each_item_is_worked_on_once() -> None:
    done: list[int] = []

    work_through(range(500), act=done.append, threads=8, stop=threading.Event())

    assert sorted(done) == list(range(500))


def test_no_more_items_are_drawn_than_there_are_threads() -> None:
    drawn: list[int] = []
    done: list[int] = []
    in_work: list[int] = []

    def stream() -> Iterator[int]:
        for item in range(300):
            drawn.append(item)
            yield item

    def act(item: int) -> None:
        in_work.append(len(drawn) - len(done))
        done.append(item)

    work_through(stream(), act=act, threads=3, stop=threading.Event())

    assert len(in_work) == 300
    assert max(in_work) <= 3


def test_the_first_error_stops_all_and_is_raised() -> None:
    stop, done = threading.Event(), []

    def act(item: int) -> None:
        if item == 3:
            raise ZeroDivisionError
        done.append(item)
        assert item < 3 or stop.wait(timeout=10)

    with pytest.raises(ZeroDivisionError):
        work_through(range(10**6), act=act, threads=2, stop=stop)
    assert stop.is_set()
    assert len(done) < 10


def test_orders_go_out_at_an_even_rate() -> None:
    hours = Hours()
    sent_s = [
        hours.passed_s for _item in paced(range(5), rate=2, pause=hours.pause, monotonic=hours.monotonic)
    ]

    assert sent_s == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_delay_is_made_up_for() -> None:
    hours = Hours()
    sent_s = []
    for item in paced(range(5), rate=2, pause=hours.pause, monotonic=hours.monotonic):
        sent_s.append(hours.passed_s)
        hours.passed_s += 1.2 if item == 0 else 0.0

    assert sent_s == [0.0, 1.2, 1.2, 1.5, 2.0]


def test_pacing_ends_when_the_replay_is_stopped() -> None:
    items = paced(range(5), rate=0.001, pause=lambda _wait_s: True)
    next(items)

    with pytest.raises(StoppedError):
        next(items)
