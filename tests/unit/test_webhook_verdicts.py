"""What follows from an attempt at a webhook."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from resilience.webhooks.states import DeliveryState, DisabledReason
from resilience.webhooks.verdicts import FAILURES_IN_ROW_MAX, TRIED_FOR, Reply, pause_s, verdict

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def after(reply: Reply, *, attempt: int = 1, age: timedelta = timedelta(0), seed: int = 1) -> object:
    return verdict(reply, attempt=attempt, tried_since=NOW - age, now=NOW, random=Random(seed))


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert after(Reply(status)).state is DeliveryState.DELIVERED


@pytest.mark.parametrize("status", [None, 100, 301, 302, 307, 308, 400, 404, 429, 500, 503])
def test_anything_else_is_tried_again(status: int | None) -> None:
    follows = after(Reply(status))

    assert follows.state is DeliveryState.PENDING
    assert NOW <= follows.due_at <= NOW + timedelta(seconds=10)
    assert follows.disables is None


def test_410_gives_up_and_turns_the_endpoint_off() -> None:
    follows = after(Reply(410))

    assert (follows.state, follows.disables) == (DeliveryState.FAILED, DisabledReason.GONE)


def test_retry_after_is_kept_up_to_a_bound() -> None:
    assert after(Reply(429, retry_after_s=120)).due_at == NOW + timedelta(seconds=120)
    assert after(Reply(429, retry_after_s=10**8)).due_at == NOW + timedelta(hours=6)


def test_the_waits_grow_and_end_after_three_days() -> None:
    random, at, attempt, waits = Random(3), NOW, 0, []
    while True:
        attempt += 1
        follows = verdict(Reply(500), attempt=attempt, tried_since=NOW, now=at, random=random)
        if follows.due_at is None:
            break
        waits.append((follows.due_at - at).total_seconds())
        at = follows.due_at

    assert follows.state is DeliveryState.FAILED
    assert at <= NOW + TRIED_FOR
    assert 15 <= attempt <= 60
    assert max(waits) <= 6 * 3600
    assert max(waits[:3]) <= 40


def test_an_endpoint_is_paused_after_some_failures_ever_longer() -> None:
    random = Random(1)

    assert pause_s(FAILURES_IN_ROW_MAX - 1, random=random) == 0.0
    assert 1.0 <= pause_s(FAILURES_IN_ROW_MAX, random=random) <= 5.0
    assert max(pause_s(FAILURES_IN_ROW_MAX + 20, random=random) for _ in range(50)) > 60
    assert all(pause_s(10_000, random=random) <= 600 for _ in range(50))
