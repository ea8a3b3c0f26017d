"""Notices as they come: the same one twenty times at once, and as many as one worker process takes."""

import threading
import time
from http.client import HTTPConnection
from itertools import chain
from statistics import quantiles

import pytest
from django.conf import settings
from django.test import Client

from payments.models import GatewayNotice
from payments.services.take_notice import take_notice
from resilience import clock
from resilience.events.models import LoggedEvent
from tests.api import served
from tests.api.served import Address
from tests.notices_kit import body_of, event, signature_of
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 20
# As many connections as the worker has threads: more would measure the queue in front of it.
CONNECTIONS = 8
REQUESTS = 250


def secret() -> str:
    return settings.GATEWAYS[0]["webhook_secrets"][0]


def told() -> int:
    return LoggedEvent.objects.filter(type="gateway.notified").count()


@pytest.mark.parametrize("_round", range(5))
def test_one_event_twenty_times_at_once_is_stored_and_told_once(_round: int):
    document, now = event(), clock.now()

    new = at_once([lambda: take_notice(gateway="sandbox-1", document=document, now=now)] * AT_ONCE)

    assert sorted(new) == [False] * (AT_ONCE - 1) + [True]
    assert GatewayNotice.objects.count() == 1
    assert told() == 1


def test_twenty_deliveries_at_once_are_all_acknowledged():
    body = body_of(event())
    headers = {"Stripe-Signature": signature_of(body, secret=secret())}

    def deliver() -> int:
        # Whoever waits longer for its twin than a statement may is told to come again, and gateways do.
        for _attempt in range(5):
            status: int = Client().generic("POST", "/webhooks/sandbox-1", body, headers=headers).status_code
            if status != 503:
                break
        return status

    assert at_once([deliver] * AT_ONCE) == [200] * AT_ONCE
    assert GatewayNotice.objects.count() == 1
    assert told() == 1


def test_one_worker_process_takes_as_many_as_it_can():
    with served.gunicorn() as address:
        _deliver_all(address, [_signed() for _ in range(20)])
        batches = [[_signed() for _ in range(REQUESTS)] for _ in range(CONNECTIONS)]

        began = time.monotonic()
        times = _at_full_speed(address, batches)
        took_s = time.monotonic() - began

    assert GatewayNotice.objects.count() == told() == CONNECTIONS * REQUESTS + 20
    p50, p99 = (quantiles(times, n=100)[percent - 1] * 1000 for percent in (50, 99))
    print(
        f"\nnotices taken by one worker process: {len(times) / took_s:.0f}/s,"
        f" p50 {p50:.1f} ms, p99 {p99:.1f} ms at {CONNECTIONS} connections"
    )


def _signed() -> tuple[bytes, dict[str, str]]:
    body = body_of(event("charge.captured", amount=1299, currency="eur", billing_details={"name": "x" * 900}))
    return body, {"Stripe-Signature": signature_of(body, secret=secret())}


def _at_full_speed(address: Address, batches: list[list[tuple[bytes, dict[str, str]]]]) -> list[float]:
    times: list[list[float]] = [[] for _ in batches]

    def run(number: int) -> None:
        times[number] = _deliver_all(address, batches[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    return list(chain.from_iterable(times))


def _deliver_all(address: Address, deliveries: list[tuple[bytes, dict[str, str]]]) -> list[float]:
    connection = HTTPConnection(*address, timeout=30)
    times = []
    for body, headers in deliveries:
        began = time.perf_counter()
        connection.request("POST", "/webhooks/sandbox-1", body, headers)
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - began)
        assert answer.status == 200
    connection.close()
    return times
