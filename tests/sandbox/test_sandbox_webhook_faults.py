"""What goes wrong with the telling: wrong amounts, noise, foreign signatures, a clock that is off."""

import json
import time

import pytest
import stripe

from tests.sandbox.receiver import AUTHORIZED, SECRET


def _times(signature):
    return int(signature.partition(",")[0].removeprefix("t="))


def _refused_then_taken(receiver):
    """Parse what came; return how many were no events that the SDK accepts, and the types of the others."""
    refused, taken = 0, []
    for body, signature in receiver.received:
        try:
            taken.append(stripe.Webhook.construct_event(body, signature, SECRET).type)
        except (ValueError, stripe.SignatureVerificationError):
            refused += 1
    return refused, sorted(taken)


def test_an_event_can_show_another_amount(telling, receiver, wait_until):
    telling.fault("webhook_wrong_amount")

    intent = telling.authorize()

    wait_until(lambda: receiver.types() == AUTHORIZED)
    assert {event.data.object.amount for event in receiver.events()} == {1300}
    assert telling.intents.retrieve(intent.id).amount == 1299
    assert {event.data.object.amount for event in telling.stripe.v1.events.list().data} == {1299}


def test_garbage_is_signed_and_is_no_json(telling, receiver, wait_until):
    telling.fault("webhook_garbage")

    telling.authorize()

    wait_until(lambda: len(receiver.received) == 3)
    for body, signature in receiver.received:
        stripe.WebhookSignature.verify_header(body.decode(), signature, SECRET, 300)
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)


def test_a_signature_can_be_somebody_elses(telling, receiver, wait_until):
    telling.fault("webhook_bad_signature")

    telling.authorize()

    wait_until(lambda: len(receiver.received) == 3)
    for body, signature in receiver.received:
        assert json.loads(body)["object"] == "event"
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, signature, SECRET)


@pytest.mark.parametrize("delay_ms", [600_000, -600_000])
def test_a_clock_can_be_off_either_way(telling, receiver, wait_until, delay_ms):
    telling.fault("clock_skew", delay_ms=delay_ms)

    telling.authorize()

    wait_until(lambda: len(receiver.received) == 3)
    off_by = {round((time.time() - _times(signature)) / 60) for _, signature in receiver.received}
    assert off_by == {delay_ms / 60_000}
    for body, signature in receiver.received:
        stripe.WebhookSignature.verify_header(body.decode(), signature, SECRET, None)


def test_a_clock_is_ten_minutes_slow_unless_told_otherwise(telling):
    assert telling.fault("clock_skew")["delay_ms"] == 600_000


@pytest.mark.parametrize("fault", ["webhook_bad_signature", "webhook_garbage", "clock_skew"])
def test_what_was_refused_is_told_again_in_order_once_the_fault_is_over(telling, receiver, wait_until, fault):
    def met():
        return [(row["status"], row["settled"]) for row in telling.deliveries() if row["fault"] == fault]

    receiver.status = 400
    telling.fault(fault, times=3)
    telling.authorize()
    wait_until(lambda: met() == [(400, 0)] * 3)
    receiver.status = 200

    wait_until(lambda: _refused_then_taken(receiver) == (0, sorted(AUTHORIZED)))

    assert met() == [(400, 0)] * 3


# A card, how many of its three events come, and what is wrong with them.
CARDS = {
    "webhook_drop": 0,
    "webhook_twice": 6,
    "webhook_late": 3,
    "webhook_shuffle": 3,
    "webhook_wrong_amount": 3,
}


@pytest.mark.parametrize("fault", CARDS)
def test_a_card_brings_its_fault_to_every_event_of_its_payment(telling, receiver, wait_until, fault):
    started = time.monotonic()
    intent = telling.authorize(payment_method=f"pm_card_visa_fault_{fault}", amount=500)
    assert intent.status == "requires_capture"
    telling.authorize()

    def amounts():
        return sorted(event.data.object.amount for event in receiver.events())

    met = 501 if fault == "webhook_wrong_amount" else 500
    wait_until(lambda: amounts() == [met] * CARDS[fault] + [1299] * 3)
    if fault == "webhook_late":
        assert time.monotonic() - started > 4.5
    wait_until(lambda: {row["fault"] for row in telling.deliveries()} == {None, fault})


def test_a_refund_meets_the_fault_of_its_payments_card(telling, receiver, wait_until):
    card = "pm_card_visa_fault_webhook_drop"
    intent = telling.authorize(payment_method=card, capture_method="automatic")

    telling.refunds.create({"payment_intent": intent.id})

    wait_until(lambda: len(telling.deliveries()) == len(telling.stripe.v1.events.list().data) == 5)
    assert {(row["fault"], row["status"], row["settled"]) for row in telling.deliveries()} == {
        ("webhook_drop", None, 1)
    }
    assert receiver.received == []
