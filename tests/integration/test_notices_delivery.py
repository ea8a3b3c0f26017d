"""The sandbox delivers to the platform as it runs: twice, shuffled, late, and over a change of secrets."""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from payments.models import GatewayNotice
from payments.subscriptions import NOTICES
from resilience.events.models import LoggedEvent
from tests.api import served
from tests.api.served import Address
from tests.events_kit import run_until_idle
from tests.sandbox.conftest import Gateway, until

pytestmark = pytest.mark.django_db(transaction=True)

OLD, NEW = "whsec_old", "whsec_new"


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Run the platform with these webhook secrets."""

    @contextmanager
    def run(*secrets: str) -> Iterator[Address]:
        account = {**settings.GATEWAYS[0], "webhook_secrets": list(secrets)}
        monkeypatch.setenv("HOLDFAST_GATEWAYS", json.dumps([account]))
        with served.gunicorn() as address:
            yield address

    return run


@contextmanager
def sandbox(folder: Path, address: Address, *, secret: str) -> Iterator[Gateway]:
    url = f"http://{address[0]}:{address[1]}/webhooks/sandbox-1"
    gateway = Gateway(folder, "--seed", "7", "--webhook-url", url, "--webhook-secret", secret)
    try:
        yield gateway
    finally:
        gateway.stop()


def in_book(gateway: Gateway, query: str) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{gateway.book}?mode=ro", uri=True)) as book:
        return book.execute(query).fetchall()


def stored() -> Counter[str]:
    return Counter(GatewayNotice.objects.values_list("event_id", flat=True))


def events(gateway: Gateway) -> Counter[str]:
    return Counter(event_id for (event_id,) in in_book(gateway, "SELECT id FROM events"))


def answers(gateway: Gateway) -> list[tuple]:
    """Return what the platform said to deliveries; None stands for one that has no answer yet."""
    return in_book(gateway, "SELECT DISTINCT status FROM deliveries")


def test_events_that_come_twice_shuffled_and_late_are_stored_once_each(tmp_path: Path, platform):
    with platform(NEW) as address, sandbox(tmp_path, address, secret=NEW) as gateway:
        gateway.fault("webhook_twice")
        gateway.fault("webhook_shuffle", delay_ms=400)
        gateway.fault("webhook_late", delay_ms=300, probability=0.5)
        for _ in range(5):
            intent = gateway.authorize(metadata={"payment_id": "none of ours"})
            gateway.intents.capture(intent.id)
        expected = events(gateway)

        until(lambda: in_book(gateway, "SELECT count(*) FROM deliveries")[0][0] >= 2 * expected.total())
        until(lambda: answers(gateway) == [(200,)])

    assert expected.total() >= 5 * 4
    assert stored() == expected
    assert LoggedEvent.objects.filter(type="gateway.notified").count() == expected.total()
    run_until_idle(NOTICES)
    notices = GatewayNotice.objects.values_list("status", "reference").distinct()
    assert {status for status, _ in notices} == {"waiting"}
    assert {reference for _, reference in notices} == {
        intent for (intent,) in in_book(gateway, "SELECT id FROM intents")
    }


def test_a_secret_is_changed_without_losing_an_event(tmp_path: Path, platform):
    with platform(NEW, OLD) as address:
        with sandbox(tmp_path, address, secret=OLD) as gateway:
            gateway.authorize()
            until(lambda: stored() == events(gateway) and answers(gateway) == [(200,)])
        with sandbox(tmp_path, address, secret=NEW) as gateway:
            gateway.authorize()
            until(lambda: stored() == events(gateway) and answers(gateway) == [(200,)])

    assert stored().total() == 6


def test_a_secret_that_is_not_set_yet_delays_events_and_loses_none(tmp_path: Path, platform):
    with platform(OLD) as address, sandbox(tmp_path, address, secret=NEW) as gateway:
        gateway.authorize()
        until(lambda: in_book(gateway, "SELECT count(*) FROM deliveries WHERE status = 400")[0][0] >= 3)
        assert not stored()

    with platform(NEW) as address, sandbox(tmp_path, address, secret=NEW) as gateway:
        until(lambda: stored() == events(gateway))

    assert stored().total() == 3
