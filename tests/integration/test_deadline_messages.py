"""A deadline goes with a Celery message, through a real broker to a real worker, and ends there."""

import json
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
import redis
from celery import shared_task
from celery.contrib.testing.worker import start_worker
from django.conf import settings

from config.celery import app
from resilience.deadlines import remaining_s, within
from resilience.deadlines.messages import HEADER
from tests.processes import wait_until

QUEUE = "deadlines-of-tests"
heard: list[tuple[str, float | None]] = []


@shared_task(name="tests.note_deadline")
def note_deadline(name: str) -> None:
    heard.append((name, remaining_s()))


def send(name: str, **options: object) -> None:
    note_deadline.apply_async(args=(name,), queue=QUEUE, **options)


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    heard.clear()
    client = redis.Redis.from_url(settings.CELERY_BROKER_URL)
    client.delete(QUEUE)
    yield client
    client.delete(QUEUE)
    client.close()


def headers_of(broker: redis.Redis) -> dict[str, object]:
    (message,) = broker.lrange(QUEUE, 0, -1)
    headers: dict[str, object] = json.loads(message)["headers"]
    return headers


def work_until(name: str) -> None:
    with start_worker(
        app, pool="threads", concurrency=1, queues=[QUEUE], perform_ping_check=False, loglevel="WARNING"
    ):
        wait_until(lambda: any(found == name for found, _left in heard))


def test_a_message_says_when_its_sender_stops_waiting(broker: redis.Redis) -> None:
    with within(5.0):
        send("one")

    headers = headers_of(broker)
    assert abs(headers[HEADER] - time.time() - 5.0) < 1.0  # type: ignore[operator]
    assert datetime.fromisoformat(str(headers["expires"])).timestamp() == pytest.approx(headers[HEADER])


def test_an_earlier_expiry_of_its_own_stays(broker: redis.Redis) -> None:
    with within(50.0):
        send("one", expires=5)

    assert datetime.fromisoformat(str(headers_of(broker)["expires"])).timestamp() - time.time() < 6


def test_a_message_of_nobody_who_waits_has_neither(broker: redis.Redis) -> None:
    send("one")

    assert headers_of(broker)["expires"] is None
    assert HEADER not in headers_of(broker)


def test_a_task_has_what_is_left_and_the_next_one_on_its_thread_has_none(broker: redis.Redis) -> None:
    with within(20.0):
        send("first")
    send("second")

    work_until("second")

    (_first, left_s), second = heard
    assert 5.0 < (left_s or 0) <= 20.0
    assert second == ("second", None)


def test_a_task_whose_deadline_is_over_is_dropped_unread(broker: redis.Redis) -> None:
    with within(0.05):
        send("late")
    wait_until(lambda: datetime.fromisoformat(str(headers_of(broker)["expires"])).timestamp() < time.time())
    send("in time")

    work_until("in time")

    assert heard == [("in time", None)]
