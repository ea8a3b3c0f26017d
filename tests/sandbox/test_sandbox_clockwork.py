"""What happens by itself happens once, whoever races it and whatever kills it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

COUNT = 30


def _issue(gateway, order_id):
    return gateway.intents.create(
        {"amount": 500, "currency": "brl", "confirm": True, "payment_method": "pm_boleto",
         "payment_method_types": ["boleto"], "metadata": {"order_id": order_id}}
    )  # fmt: skip


def _events(gateway):
    """Return how often each type of event is told of each object."""
    listed = gateway.stripe.v1.events.list({"limit": 100}).auto_paging_iter()
    return Counter((event.data.object.id, event.type) for event in listed)


def _statuses(gateway):
    return Counter(intent.status for intent in gateway.intents.list({"limit": 100}).data)


def test_a_kill_between_the_steps_neither_loses_nor_doubles_one(start_gateway, wait_until):
    gateway = start_gateway("--fee-fixed", "10")
    gateway.configure(boleto_pays_after_s=0.5, boleto_clears_after_s=0.2)
    ids = [_issue(gateway, f"kill-{number}").id for number in range(COUNT)]
    wait_until(lambda: _statuses(gateway)["processing"] > 0)
    gateway.kill()
    gateway.start()
    wait_until(lambda: _statuses(gateway)["succeeded"] > 0)
    gateway.kill()
    gateway.start()

    wait_until(lambda: _statuses(gateway) == {"succeeded": COUNT})

    events = _events(gateway)
    for type in ("payment_intent.processing", "payment_intent.succeeded"):
        assert [events[id, type] for id in ids] == [1] * COUNT
    rows = gateway.stripe.v1.balance_transactions.list({"limit": 100}).data
    assert len({row.source for row in rows}) == len(rows) == COUNT
    orders = gateway.summary()["orders"]
    assert {(order["captured"], order["captures"]) for order in orders.values()} == {(500, 1)}


def test_a_cancellation_that_meets_the_payer_leaves_one_winner(gateway, wait_until):
    gateway.configure(boleto_pays_after_s=0.1, boleto_clears_after_s=0)

    def race(number):
        intent = _issue(gateway, f"race-{number}")
        try:
            # Some cancel at once, some when the payer is about to come.
            for _ in range(number % 10 * 3):
                gateway.intents.retrieve(intent.id)
            gateway.client().v1.payment_intents.cancel(intent.id)
        except stripe.InvalidRequestError as refused:
            return intent.id, refused.code
        return intent.id, None

    with ThreadPoolExecutor(8) as pool:
        codes = dict(pool.map(race, range(COUNT)))
    ends = {"canceled", "succeeded"}
    wait_until(lambda: all(gateway.intents.retrieve(id).status in ends for id in codes))

    events = _events(gateway)
    assert set(codes.values()) <= {None, "payment_intent_unexpected_state"}
    for id, code in codes.items():
        assert events[id, "payment_intent.canceled"] == (code is None)
        assert events[id, "payment_intent.canceled"] + events[id, "payment_intent.succeeded"] == 1


def test_a_capture_that_meets_the_expiry_leaves_one_winner(gateway):
    def race(_):
        intent = gateway.authorize()
        with ThreadPoolExecutor(2) as pair:
            captured = pair.submit(gateway.http.post, "/_console/capture", json={"payment_intent": intent.id})
            expired = pair.submit(gateway.http.post, f"/_expire/{intent.id}")
        statuses = sorted([captured.result().status_code, expired.result().status_code])
        return intent.id, statuses

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(race, range(COUNT)))

    events = _events(gateway)
    assert [statuses for _, statuses in results] == [[200, 400]] * COUNT
    for id, _ in results:
        assert events[id, "payment_intent.canceled"] + events[id, "payment_intent.succeeded"] == 1


@pytest.mark.parametrize(("outcome", "end"), [("succeed", "succeeded"), ("fail", "requires_payment_method")])
def test_a_boleto_on_its_way_ends_at_once_and_only_once(gateway, wait_until, outcome, end):
    gateway.configure(boleto_pays_after_s=0, boleto_clears_after_s=0.3)
    intent = _issue(gateway, f"way-{outcome}")
    wait_until(lambda: gateway.intents.retrieve(intent.id).status == "processing")

    gateway.do(f"/_pay/{intent.id}", outcome=outcome)
    later = _issue(gateway, "later")
    wait_until(lambda: gateway.intents.retrieve(later.id).status == "succeeded")

    assert gateway.intents.retrieve(intent.id).status == end
    told = gateway.events_of(intent.id)
    assert len(told) == len(set(told)) == 4
