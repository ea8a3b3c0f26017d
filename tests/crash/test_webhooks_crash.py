"""Senders of webhooks killed with -9: every event arrives, under one id, with the same bytes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from resilience import clock
from resilience.ids import new_id
from resilience.webhooks.models import WebhookDelivery
from tests.processes import wait_until
from tests.webhooks_kit import HOST, Receiver, endpoint_at, hear, receiving, tell

pytestmark = pytest.mark.django_db(transaction=True)
EVENTS = 120
KILLS = 4


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    settings.WEBHOOKS_TRUSTED_HOSTS = [HOST]
    hear()
    with receiving() as receiver:
        yield receiver


@contextmanager
def sender(*points: str) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {**os.environ, "HOLDFAST_WEBHOOKS_TRUSTED_HOSTS": HOST}
    command = [sys.executable, "-m", "tests.webhooks_sender", *points]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"sending\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def end_leases() -> None:
    """Let the leases of the dead be over, without waiting a minute for it."""
    WebhookDelivery.objects.filter(state="pending").update(leased_until=None, due_at=clock.now())


def test_killed_between_the_answer_and_its_note_the_same_is_sent_again(receiver: Receiver) -> None:
    endpoint = endpoint_at(receiver.url)
    tell(1)
    with sender("webhooks.before_settle") as killed:
        assert killed.wait(timeout=30) == -signal.SIGKILL
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, len(receiver.came)) == ("pending", 1)
    assert delivery.leased_until is not None

    end_leases()
    with sender():
        wait_until(lambda: WebhookDelivery.objects.get().state == "delivered")

    first, second = receiver.came
    assert (first.id, first.body) == (second.id, second.body)
    assert second.is_signed_by(endpoint.secret)


def test_killed_again_and_again_nothing_is_lost_and_order_is_kept(receiver: Receiver) -> None:
    endpoint_at(receiver.url, is_ordered=True)
    for _aggregate in range(EVENTS // 3):
        tell(1, 2, 3, aggregate=new_id())

    for kill in range(1, KILLS + 1):
        with sender() as process:
            wait_until(lambda kill=kill: len(receiver.came) >= kill * EVENTS // (KILLS + 2), limit_s=30)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        end_leases()
    with sender(), sender():
        wait_until(lambda: not WebhookDelivery.objects.filter(state="pending").exists(), limit_s=60)

    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
    by_id: dict[str, set[bytes]] = {}
    for received in receiver.came:
        by_id.setdefault(received.id, set()).add(received.body)
    assert len(by_id) == EVENTS
    assert all(len(bodies) == 1 for bodies in by_id.values())
    assert first_times_are_in_order(receiver)


def first_times_are_in_order(receiver: Receiver) -> bool:

    seen: dict[str, int] = {}
    for received in receiver.came:
        envelope = json.loads(received.body)
        subject, sequence = envelope["subject"], int(envelope["sequence"])
        if sequence > seen.get(subject, 0) + 1:
            return False
        seen[subject] = max(seen.get(subject, 0), sequence)
    return True
