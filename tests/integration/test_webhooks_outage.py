"""A receiver that is down for an hour of virtual time: asked ever more rarely, then told all in order."""

import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID

import pytest

from resilience import clock
from resilience.events.models import LoggedEvent
from resilience.ids import new_id
from resilience.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from resilience.webhooks.queue import AT_ONCE_MAX
from resilience.webhooks.sender import Sender
from resilience.webhooks.verdicts import FAILURES_IN_ROW_MAX
from tests.webhooks_kit import HOST, Answer, Received, Receiver, endpoint_at, hear, receiving, tell

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
# Nobody listens at first; then something does, and is not well; then it is.
REFUSED_FOR, UNWELL_FOR = 20 * MINUTE, 40 * MINUTE
HOUR = REFUSED_FOR + UNWELL_FOR
AGGREGATES = 10
EVENTS = 60
# How far virtual time goes between two looks of the sender at what is due.
STEP = timedelta(seconds=5)
# The breaker's longest pause (ten minutes) and the longest wait that a delivery may have drawn meanwhile.
SILENCE_MAX = 20 * MINUTE
# The breaker lets five failures through and those under way; with pauses drawn below 5 s, 10 s … 600 s it
# then asks some twenty times in the hour. Twice that is room for the draw, not for a breaker that is open.
ATTEMPTS_MAX = 50


@dataclass
class VirtualTime:
    """The wall clock of this process, for as long as the test holds it."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment


@dataclass
class Shop:
    """The receiver's side: it answers 503 until it is well, and keeps what it took."""

    is_well: bool = False
    taken: list[Received] = field(default_factory=list)

    def answer(self, received: Received) -> Answer:
        if not self.is_well:
            return 503, {}, b"not now"
        self.taken.append(received)
        return 204, {}, b""


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch, settings: Any) -> VirtualTime:
    settings.WEBHOOKS_TRUSTED_HOSTS = [HOST]
    hear()
    time = VirtualTime(clock.now())
    monkeypatch.setattr(clock, "now", time.now)
    return time


@pytest.fixture
def sender(time: VirtualTime) -> Iterator[Sender]:
    sender = Sender(random=Random(1))
    yield sender
    sender.close()


@contextmanager
def refusing_port() -> Iterator[int]:
    """Hold a port at which connections are refused: bound, and not listened at."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((HOST, 0))
        yield held.getsockname()[1]


def send_for(period: timedelta, *, sender: Sender, time: VirtualTime, telling: Iterator[None]) -> None:
    """Be the sender while `period` goes by, and tell an event each minute while there are any."""
    until = time.moment + period
    told_at = time.moment
    while time.moment < until:
        if time.moment >= told_at:
            next(telling, None)
            told_at += MINUTE
        while sender.run_once():
            pass
        time.moment += STEP


def tell_all(aggregates: list[UUID]) -> Iterator[None]:
    for number in range(EVENTS):
        tell(number, aggregate=aggregates[number % AGGREGATES])
        yield


def test_down_for_an_hour_everything_arrives_in_order_under_one_id_with_one_body(
    time: VirtualTime, sender: Sender
) -> None:
    aggregates = [new_id() for _aggregate in range(AGGREGATES)]
    shop, telling = Shop(), tell_all(aggregates)
    with refusing_port() as port:
        receiver = Receiver(answer=shop.answer, port=port)
        endpoint = endpoint_at(receiver.url, is_ordered=True)
        send_for(REFUSED_FOR, sender=sender, time=time, telling=telling)
    with receiving(receiver):
        send_for(UNWELL_FOR, sender=sender, time=time, telling=telling)
        endpoint.refresh_from_db()
        failed = list(WebhookAttempt.objects.order_by("at").values_list("at", "http_status"))
        assert WebhookDelivery.objects.filter(state="pending").count() == EVENTS
        assert endpoint.paused_until is not None
        assert endpoint.failures_in_row == len(failed)

        shop.is_well = True
        send_for(SILENCE_MAX, sender=sender, time=time, telling=telling)

    assert_asked_ever_more_rarely(failed)
    assert_on_again(endpoint)
    assert_all_taken_in_order(shop, aggregates)
    bodies = {(received.id, received.body) for received in receiver.came}
    assert len(bodies) == len({received.id for received in receiver.came}) == EVENTS


def assert_asked_ever_more_rarely(failed: list[tuple[datetime, int | None]]) -> None:
    """The breaker opened, was closed by nothing, and still asked now and then, to the end of the hour."""
    moments = [at for at, _status in failed]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    first_half = sum(at < moments[0] + HOUR / 2 for at in moments)
    assert FAILURES_IN_ROW_MAX + AT_ONCE_MAX < len(failed) <= ATTEMPTS_MAX
    assert first_half > len(failed) - first_half
    assert max(gaps) <= SILENCE_MAX
    assert {status for _at, status in failed} == {None, 503}


def assert_on_again(endpoint: WebhookEndpoint) -> None:
    """The endpoint was never turned off, and its breaker is closed."""
    endpoint.refresh_from_db()
    assert (endpoint.disabled_at, endpoint.failures_in_row, endpoint.paused_until) == (None, 0, None)
    assert not LoggedEvent.objects.filter(type="webhook_endpoint.disabled").exists()


def assert_all_taken_in_order(shop: Shop, aggregates: list[UUID]) -> None:
    """Each event was taken once, and those of an aggregate in the order in which they happened."""
    assert Counter(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered": EVENTS}
    assert len({received.id for received in shop.taken}) == len(shop.taken) == EVENTS
    by_subject: dict[str, list[int]] = {}
    for received in shop.taken:
        by_subject.setdefault(json.loads(received.body)["subject"], []).append(received.number)
    assert by_subject == {
        str(aggregate): list(range(first, EVENTS, AGGREGATES)) for first, aggregate in enumerate(aggregates)
    }
