"""Fifty random schedules of cancel, webhooks, a capture by hand, and the polling saga, all at once.

Whatever the order in which they meet, one end is reached, the ledger agrees with the gateway's own book,
and nobody holds or keeps money that is not theirs.
"""

from collections.abc import Callable
from random import Random
from time import sleep
from typing import Any
from uuid import UUID

import httpx
import pytest
from django.db import connection

from orders.services.cancel_order import cancel_order
from payments.ledger.balances import statement
from payments.services.take_notice import take_notice
from payments.subscriptions import NOTICES
from resilience.clock import now
from resilience.saga.models import Saga
from tests.conftest import SandboxClient
from tests.events_kit import run_until_idle
from tests.orders_kit import CLIENT, books, order_status, place, runner, stock
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)

SCHEDULES = 50
SEED = 20261126
WITHIN_S = 60.0
# Each part begins within this: about as long as a placement takes, so that they meet anywhere in it.
SPREAD_S = 0.12


def test_every_schedule_ends_in_one_state_and_one_book(sandbox: SandboxClient) -> None:
    random = Random(SEED)
    stock(SCHEDULES)
    orders = [place() for _schedule in range(SCHEDULES)]

    for order_id in orders:
        at_once(_parts(order_id, Random(random.random()), sandbox))
    _carry_everything()

    book = sandbox.orders()
    ends = {order_id: books(order_id, book) for order_id in orders}
    for order_id, end in ends.items():
        owed = 1000 if end.status == "confirmed" else 0
        assert end.status in ("confirmed", "cancelled")
        assert end.captures <= 1
        assert (end.captured_minor - end.refunded_minor, end.open_authorizations) == (owed, 0), end
        assert order_status(order_id) == end.status
        in_ledger = [line for line in statement(order_id=order_id, limit=50) if "clearing" in line.account]
        assert sum(line.amount_minor for line in in_ledger) == owed
    statuses = {end.status for end in ends.values()}
    # A schedule that always lets the same side win would prove little.
    assert statuses == {"confirmed", "cancelled"}
    assert {end.captures for end in ends.values()} == {0, 1}


def _parts(order_id: UUID, random: Random, sandbox: SandboxClient) -> list[Callable[[], object]]:
    parts: list[Callable[[], object]] = [lambda: _poll(order_id), lambda: _poll(order_id)]
    if random.random() < 0.7:
        parts.append(lambda: cancel_order(client=CLIENT, order_id=order_id, now=now()))
    if random.random() < 0.5:
        parts.append(lambda: _by_hand(order_id, random.choice(["capture", "cancel"]), sandbox))
    parts += [lambda: _tell(order_id, random, sandbox)] * 2
    random.shuffle(parts)
    return [_late(part, random.uniform(0, SPREAD_S)) for part in parts]


def _late(part: Callable[[], object], wait_s: float) -> Callable[[], object]:
    def later() -> object:
        sleep(wait_s)  # the schedule itself, not a wait for luck
        try:
            return part()
        finally:
            connection.close()

    return later


def _poll(order_id: UUID) -> None:
    worker = runner(lease_s=2.0, name=f"poll-{id(order_id)}-{now().timestamp()}")
    for _look in range(8):
        worker.run(list(Saga.objects.filter(business_key=order_id).values_list("id", flat=True)))
        sleep(0.01)


def _by_hand(order_id: UUID, what: str, sandbox: SandboxClient) -> None:
    """Capture or cancel at the gateway's own dashboard, if there is something already."""
    for row in sandbox.rows("SELECT id FROM intents WHERE order_id = ?", str(order_id)):
        httpx.post(f"{sandbox.url}/_console/{what}", json={"payment_intent": row["id"]})


def _tell(order_id: UUID, random: Random, sandbox: SandboxClient) -> None:
    """Deliver what the gateway has to tell so far, in any order, some of it twice."""
    told = _events(order_id, sandbox)
    told += random.sample(told, k=len(told) // 2)
    random.shuffle(told)
    for document in told:
        take_notice(gateway=sandbox.name, document=document, now=now())


def _events(order_id: UUID, sandbox: SandboxClient) -> list[dict[str, Any]]:
    answer = httpx.get(
        f"{sandbox.url}/v1/events",
        params={"limit": 100},
        headers={"Authorization": f"Bearer {sandbox.secret_key}"},
    )
    events: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
    return [event for event in events if event["data"]["object"]["metadata"].get("order_id") == str(order_id)]


def _carry_everything() -> None:
    """Handle the notices and carry every saga to its end."""
    worker = runner(lease_s=5.0, name="carrier")
    deadline = now().timestamp() + WITHIN_S
    while now().timestamp() < deadline:
        run_until_idle(NOTICES)
        open_ids = list(Saga.objects.filter(ended_at=None).values_list("id", flat=True))
        if not open_ids:
            return
        worker.run(open_ids)
        sleep(0.02)
    stuck = Saga.objects.filter(ended_at=None)
    raise AssertionError([(str(saga), saga.parked_reason, list(map(str, saga.log.all()))) for saga in stuck])
