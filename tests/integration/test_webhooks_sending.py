"""Webhooks, posted to real receivers: signed, once per event where nobody dies, fair between endpoints."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from threading import Event as Signal

import pytest
from django.db import connection

from resilience import clock
from resilience.events.models import LoggedEvent
from resilience.flags import pinned
from resilience.flags.snapshot import Snapshot
from resilience.ids import new_id
from resilience.webhooks import posting
from resilience.webhooks.endpoints import (
    SECRETS_BEFORE_MAX,
    EndpointDraft,
    Selection,
    redeliver_many,
    rotate_secret,
    send_test,
    update_endpoint,
)
from resilience.webhooks.errors import WebhookSecretsExhaustedError
from resilience.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from resilience.webhooks.queue import AT_ONCE_MAX, claim, settle
from resilience.webhooks.sender import Sender
from resilience.webhooks.verdicts import Reply
from tests.webhooks_kit import HOST, Receiver, endpoint_at, hear, receiving, send_until, tell

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _trusted(settings) -> None:
    settings.WEBHOOKS_TRUSTED_HOSTS = [HOST]
    hear()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def states() -> list[str]:
    return list(WebhookDelivery.objects.order_by("pk").values_list("state", flat=True))


def make_due() -> None:
    """Let the waits between attempts be over."""
    WebhookDelivery.objects.filter(state="pending", leased_until=None).update(due_at=clock.now())


def test_an_event_is_posted_signed_under_its_id(receiver: Receiver) -> None:
    endpoint = endpoint_at(receiver.url)
    tell(7)

    send_until(lambda: states() == ["delivered"])

    [received] = receiver.came
    event = LoggedEvent.objects.get(type="test.happened")
    assert received.id == str(event.id)
    assert received.number == 7
    assert received.path == "/hooks"
    assert received.headers["content-type"] == "application/cloudevents+json"
    assert received.is_signed_by(endpoint.secret)
    assert WebhookAttempt.objects.get().http_status == 204


def test_only_its_owners_events_of_the_types_that_it_wants(receiver: Receiver) -> None:
    endpoint_at(receiver.url, types=["test.happened"])
    with receiving() as other:
        endpoint_at(other.url, types=["test.ignored"])
        tell(1, client="another")
        tell(2, client="")
        tell(3)
        send_until(lambda: states() == ["delivered"])

    assert [received.number for received in receiver.came] == [3]
    assert other.came == []


def test_the_same_event_heard_twice_is_one_delivery(receiver: Receiver) -> None:
    endpoint_at(receiver.url)
    tell(1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE resilience_subscription SET position_xid = '0', position = 0")
        cursor.execute("DELETE FROM resilience_inbox")
    hear()

    assert len(states()) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500, 503])
def test_what_is_not_taken_is_sent_again_with_the_same_id_and_bytes(receiver: Receiver, status: int) -> None:
    location = {"Location": receiver.url + "/elsewhere"}
    no, yes = (status, location, b"no"), (200, {}, b"")
    receiver.answer = lambda _received: no if len(receiver.came) == 1 else yes
    endpoint = endpoint_at(receiver.url)
    tell(1)

    send_until(lambda: states() == ["delivered"] or make_due())

    first, second = receiver.came
    assert (first.id, first.body, first.path) == (second.id, second.body, "/hooks")
    assert second.is_signed_by(endpoint.secret)
    assert list(WebhookAttempt.objects.order_by("pk").values_list("http_status", "reply")) == [
        (status, "no"),
        (200, ""),
    ]


def test_410_turns_the_endpoint_off_and_its_owner_is_told(receiver: Receiver) -> None:
    receiver.answer = lambda _received: (410, {}, b"")
    endpoint = endpoint_at(receiver.url)
    tell(1)

    send_until(lambda: states() == ["failed"])

    endpoint.refresh_from_db()
    assert endpoint.disabled_reason == "gone"
    told = LoggedEvent.objects.get(type="webhook_endpoint.disabled")
    assert (told.client, told.payload["reason"]) == ("shop", "gone")
    tell(2)
    assert len(states()) == 1


def test_retry_after_is_kept(receiver: Receiver) -> None:
    receiver.answer = lambda _received: (429, {"Retry-After": "600"}, b"")
    endpoint_at(receiver.url)
    tell(1)

    send_until(lambda: WebhookAttempt.objects.exists())

    due_at = WebhookDelivery.objects.get().due_at
    assert due_at is not None
    assert timedelta(seconds=590) < due_at - clock.now() <= timedelta(seconds=600)


def test_both_secrets_sign_while_one_replaces_the_other(receiver: Receiver) -> None:
    endpoint = endpoint_at(receiver.url)
    rotated = rotate_secret("shop", endpoint.pk, now=clock.now())
    tell(1)
    send_until(lambda: states() == ["delivered"])

    [received] = receiver.came
    assert rotated.secret != endpoint.secret
    assert received.is_signed_by(endpoint.secret)
    assert received.is_signed_by(rotated.secret)

    # A second one within the day takes nobody's secret away.
    again = rotate_secret("shop", endpoint.pk, now=clock.now())
    tell(2)
    send_until(lambda: states() == ["delivered"] * 2)
    for secret in (endpoint.secret, rotated.secret, again.secret):
        assert receiver.came[-1].is_signed_by(secret)

    rotate_secret("shop", endpoint.pk, now=clock.now() + timedelta(days=2))
    WebhookEndpoint.objects.update(secrets_before=[{"secret": again.secret, "until": "2026-01-01T00:00:00Z"}])
    tell(3)
    send_until(lambda: states() == ["delivered"] * 3)
    assert len(receiver.came[-1].headers["webhook-signature"].split()) == 1


def test_only_so_many_secrets_sign(receiver: Receiver) -> None:
    endpoint = endpoint_at(receiver.url)
    for _rotation in range(SECRETS_BEFORE_MAX):
        rotate_secret("shop", endpoint.pk, now=clock.now())

    with pytest.raises(WebhookSecretsExhaustedError, match="still sign"):
        rotate_secret("shop", endpoint.pk, now=clock.now())

    assert len(WebhookEndpoint.objects.get().secrets_before) == SECRETS_BEFORE_MAX
    later = rotate_secret("shop", endpoint.pk, now=clock.now() + timedelta(days=2))
    assert len(later.secrets_before) == 1


def test_an_ordered_endpoint_gets_an_aggregates_events_one_after_the_other(receiver: Receiver) -> None:
    receiver.answer = lambda received: (
        (500, {}, b"") if received.number == 1 and len(receiver.came) < 4 else (200, {}, b"")
    )
    endpoint_at(receiver.url, is_ordered=True)
    first = tell(1, 2, 3)
    tell(11, 12)

    send_until(lambda: states().count("delivered") == 5 or make_due())

    numbers = [received.number for received in receiver.came]
    of_first = [number for number in numbers if number < 10]
    assert of_first[-2:] == [2, 3]
    assert set(of_first[:-2]) == {1}
    assert [number for number in numbers if number > 10] == [11, 12]
    assert WebhookDelivery.objects.filter(aggregate_id=first).count() == 3


def test_a_receiver_that_fails_is_asked_ever_more_rarely_and_then_gets_everything(receiver: Receiver) -> None:
    receiver.answer = lambda _received: (500, {}, b"")
    endpoint = endpoint_at(receiver.url)
    for number in range(12):
        tell(number)

    send_until(lambda: endpoint_paused(endpoint.pk))
    asked = len(receiver.came)
    assert asked <= 5 + AT_ONCE_MAX
    assert claim(limit=10, now=clock.now()) == []

    receiver.answer = lambda _received: (200, {}, b"")
    # An hour later: one is let through first, and its success opens the rest.
    WebhookDelivery.objects.filter(state="pending").update(due_at=clock.now(), leased_until=None)
    an_hour_later = clock.now() + timedelta(hours=1)
    [probe] = claim(limit=10, now=an_hour_later)
    assert claim(limit=10, now=an_hour_later) == []
    settle(probe, Reply(200), now=an_hour_later, random=Random(1))

    send_until(lambda: states() == ["delivered"] * 12)
    ids = {received.id for received in receiver.came}
    assert len(ids) >= 11  # the probe's was settled by hand


def endpoint_paused(endpoint_id: object) -> bool:
    return WebhookEndpoint.objects.get(pk=endpoint_id).paused_until is not None


def test_days_of_failures_turn_an_endpoint_off_and_what_failed_can_be_sent_again(
    receiver: Receiver,
) -> None:
    endpoint = endpoint_at(receiver.url)
    tell(1, 2)
    at = clock.now()
    for days in (0, 0, 6):
        [claimed, *_] = claim(limit=1, now=at + timedelta(days=days))
        settle(claimed, Reply(500), now=at + timedelta(days=days), random=Random(1))

    endpoint.refresh_from_db()
    assert endpoint.disabled_reason == "failing"
    update_endpoint("shop", endpoint.pk, EndpointDraft(is_enabled=True), now=at)
    assert states().count("failed") == 1
    day = timedelta(days=1)
    assert redeliver_many("shop", endpoint.pk, Selection(at - day, at + day), now=at) == (1, None)
    make_due()
    send_until(lambda: states() == ["delivered"] * 2)


def test_with_the_switch_off_nothing_is_sent_and_nothing_is_lost(receiver: Receiver) -> None:
    endpoint_at(receiver.url)
    tell(1)
    with pinned(Snapshot(switches={"webhooks-out": False})):
        sender = Sender(random=Random(1))
        for _round in range(3):
            assert not sender.run_once()
        sender.close()
    assert receiver.came == []

    send_until(lambda: states() == ["delivered"])


def test_a_name_that_has_become_private_is_not_connected_to(receiver: Receiver, settings) -> None:
    endpoint = endpoint_at(receiver.url)
    settings.WEBHOOKS_TRUSTED_HOSTS = []
    endpoint.url = "https://rebinding.example.com/hooks"
    endpoint.save()
    tell(1)
    sender = Sender(random=Random(1), resolve=lambda _host, _port: ["93.184.216.34", HOST])

    send_until(lambda: WebhookAttempt.objects.exists(), sender=sender)
    sender.close()

    assert "not public" in WebhookAttempt.objects.get().error
    assert receiver.came == []


@pytest.mark.parametrize("kind", ["drip", "endless", "header"])
def test_an_answer_without_end_is_cut_off(receiver: Receiver, monkeypatch, kind: str) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_S", 1.0)
    stop = Signal()

    def answer(_received: object) -> tuple[int, dict[str, str], bytes]:
        if kind == "drip":
            stop.wait(5)
        huge = {"X-Huge": "x" * 60_000} if kind == "header" else {}
        return 200, huge, b"x" * (1_000_000 if kind == "endless" else 1)

    receiver.answer = answer
    endpoint_at(receiver.url)
    tell(1)
    began_at = time.monotonic()
    send_until(lambda: WebhookAttempt.objects.exists())
    took_s = time.monotonic() - began_at
    stop.set()

    attempt = WebhookAttempt.objects.get()
    assert attempt.http_status is None
    assert attempt.error
    assert took_s < 4


def test_two_senders_never_have_the_same_delivery(receiver: Receiver) -> None:
    for _endpoint in range(5):
        endpoint_at(f"{receiver.url}/{_endpoint}")
    for number in range(20):
        tell(number)

    def be_a_sender(_number: int) -> int:
        try:
            taken = 0
            for _round in range(60):
                for claimed in claim(limit=7, now=clock.now()):
                    assert settle(claimed, Reply(200), now=clock.now(), random=Random(1)) is not None
                    taken += 1
            return taken
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(be_a_sender, range(4))) == 100
    assert WebhookAttempt.objects.count() == 100
    assert set(states()) == {"delivered"}


def test_a_test_event_goes_to_one_endpoint_alone(receiver: Receiver) -> None:
    endpoint = endpoint_at(receiver.url)
    endpoint_at(f"{receiver.url}/other")

    send_test("shop", endpoint.pk, now=clock.now())
    send_until(lambda: states() == ["delivered"])

    assert [received.path for received in receiver.came] == ["/hooks"]


def test_one_that_hangs_does_not_hold_up_the_others(receiver: Receiver) -> None:
    stop = Signal()

    def hang(_received: object) -> tuple[int, dict[str, str], bytes]:
        stop.wait(30)
        return 200, {}, b""

    with receiving(Receiver(answer=hang)) as hanging:
        endpoint_at(hanging.url)
        endpoint_at(receiver.url)
        for number in range(40):
            tell(number, aggregate=new_id())
        sender = Sender(random=Random(1))
        began_at = time.monotonic()
        send_until(lambda: len(receiver.came) == 40, sender=sender)
        took_s = time.monotonic() - began_at
        assert len(hanging.came) <= AT_ONCE_MAX
        stop.set()
        sender.close()

    assert took_s < posting.TIMEOUT_S
