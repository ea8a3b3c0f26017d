"""The queue of webhooks: whose turn it is, how long it is tried, and how what is old goes."""

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from random import Random
from threading import Event as Signal
from typing import Any

import pytest
from django.db import connection, transaction

from resilience import clock
from resilience.ids import new_id
from resilience.webhooks import posting, queue, tasks
from resilience.webhooks.endpoints import delete_endpoint, endpoints_of, redeliver
from resilience.webhooks.models import WebhookDelivery, WebhookEndpoint
from resilience.webhooks.queue import claim, settle
from resilience.webhooks.targets import parse_target
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


def test_the_three_days_begin_with_the_first_attempt(receiver: Receiver) -> None:
    endpoint_at(receiver.url)
    tell(1)
    in_five_days = clock.now() + timedelta(days=5)

    [claimed] = claim(limit=1, now=in_five_days)
    settle(claimed, Reply(500), now=in_five_days, random=Random(1))

    assert states() == ["pending"]
    in_nine_days = clock.now() + timedelta(days=9)
    [claimed] = claim(limit=1, now=in_nine_days)
    settle(claimed, Reply(500), now=in_nine_days, random=Random(1))
    assert states() == ["failed"]


def test_an_attempt_under_way_does_not_end_what_was_asked_for_again(receiver: Receiver) -> None:
    endpoint_at(receiver.url)
    tell(1)
    [first] = claim(limit=1, now=clock.now())
    in_four_days = clock.now() + timedelta(days=4)
    [second] = claim(limit=1, now=in_four_days)
    redeliver("shop", second.delivery_id, now=in_four_days)

    assert settle(second, Reply(500), now=in_four_days, random=Random(1)) is None
    assert settle(first, Reply(500), now=in_four_days, random=Random(1)) is None

    assert states() == ["pending"]


def test_a_backlog_takes_nobody_elses_turn(receiver: Receiver) -> None:
    for number in range(9):
        endpoint_at(f"{receiver.url}/{number}")
    for number in range(30):
        tell(number)
    WebhookDelivery.objects.update(due_at=clock.now() - timedelta(days=1))
    fresh = endpoint_at(f"{receiver.url}/fresh", client="another")
    tell(1, client="another")

    # A sender's room is smaller than what the others' backlog would take.
    claimed = {one.endpoint_id for one in claim(limit=10, now=clock.now())}

    assert fresh.pk in claimed
    assert len(claimed) == 10


def test_what_is_claimed_is_found_by_indexes_however_long_the_backlog(receiver: Receiver) -> None:
    endpoint = endpoint_at(receiver.url)
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(
            endpoint=endpoint,
            event_id=new_id(),
            type="test.happened",
            aggregate_id=new_id(),
            sequence=1,
            body="{}",
            due_at=clock.now(),
            created_at=clock.now(),
        )
        for _delivery in range(20_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE resilience_webhook_delivery")
        parameters = {"now": clock.now(), "limit": 10, "until": clock.now(), "at_once": 4, "failures": 5}
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {queue._CLAIM}", parameters)
        [(plan,)] = cursor.fetchall()

    assert max(rows_read(plan[0]["Plan"])) < 200


def rows_read(node: dict[str, Any]) -> Iterator[float]:
    """Yield how many rows each scan of a plan looked at."""
    if "Relation Name" in node:
        filtered = node.get("Rows Removed by Filter", 0)
        yield (node["Actual Rows"] + filtered) * node["Actual Loops"]
    for below in node.get("Plans", []):
        yield from rows_read(below)


def test_an_address_that_does_not_answer_leaves_time_for_the_next(receiver: Receiver, monkeypatch) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_S", 2.0)
    with unanswered() as port:
        target = parse_target(f"http://{HOST}:{port}/hooks", trusted=[HOST], own=[])
        tls = ssl.create_default_context()
        silent, refused = "127.0.0.2", "127.0.0.3"

        with receiving(Receiver(port=port)) as here:
            reply = posting.post(
                target, [silent, refused, HOST], headers={"Content-Length": "2"}, body=b"{}", tls=tls
            )

    assert reply.status == 204
    assert len(here.came) == 1


@contextmanager
def unanswered() -> Iterator[int]:
    """Lend a port at which another address of this machine takes no more connections, and answers none."""
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        port = full.getsockname()[1]
        for _connection in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.2", port))
        yield port


def test_what_is_asked_for_while_it_is_pruned_stays(receiver: Receiver) -> None:
    endpoint_at(receiver.url)
    tell(1, 2)
    send_until(lambda: states() == ["delivered"] * 2)
    WebhookDelivery.objects.update(settled_at=clock.now() - timedelta(days=31))
    asked_for = WebhookDelivery.objects.earliest("pk").pk
    is_asked, may_commit = Signal(), Signal()

    def ask() -> None:
        try:
            with transaction.atomic():
                redeliver("shop", asked_for, now=clock.now())
                is_asked.set()
                assert may_commit.wait(10)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        assert is_asked.wait(10)
        tasks.prune_webhook_log()
        may_commit.set()
        asking.result()
    tasks.prune_webhook_log()

    assert list(WebhookDelivery.objects.values_list("pk", "state")) == [(asked_for, "pending")]


def test_what_is_deleted_goes_piece_by_piece_and_its_address_is_free(receiver: Receiver, monkeypatch) -> None:
    monkeypatch.setattr(tasks, "_ROWS_AT_ONCE", 2)
    old, off = endpoint_at(receiver.url), endpoint_at(f"{receiver.url}/off")
    for number in range(5):
        tell(number)
    send_until(lambda: states().count("delivered") == 10)
    tell(6)

    delete_endpoint("shop", old.pk, now=clock.now())
    again = endpoint_at(receiver.url)
    assert [endpoint.pk for endpoint in endpoints_of("shop").order_by("pk")] == [off.pk, again.pk]
    assert {one.endpoint_id for one in claim(limit=10, now=clock.now())} == {off.pk}
    WebhookEndpoint.objects.filter(pk=off.pk).update(
        disabled_at=clock.now() - timedelta(days=31), disabled_reason="owner"
    )
    tasks.prune_webhook_log()

    assert not WebhookEndpoint.objects.filter(pk=old.pk).exists()
    assert WebhookDelivery.objects.filter(endpoint_id=old.pk).count() == 0
    # Of the one that is off, what was delivered lately is still told.
    assert set(WebhookDelivery.objects.filter(endpoint_id=off.pk).values_list("state", flat=True)) == {
        "delivered"
    }
