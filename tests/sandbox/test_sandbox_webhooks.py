"""Webhooks: signed, tried again, and subject to faults."""

import pytest
import stripe

from tests.sandbox.receiver import AUTHORIZED


def test_each_event_is_delivered_with_a_signature_that_the_sdk_accepts(telling, receiver, wait_until):
    intent = telling.authorize()

    wait_until(lambda: receiver.types() == AUTHORIZED)

    listed = {event.id: event.to_dict() for event in telling.stripe.v1.events.list().data}
    for event in receiver.events():
        assert event.data.object.object in ("payment_intent", "charge")
        assert {**listed[event.id], "pending_webhooks": 1} == event.to_dict()
    assert intent.id in {event.data.object.id for event in receiver.events()}
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(*receiver.received[0], "whsec_other")


def test_a_receiver_that_fails_is_told_again(telling, receiver, wait_until):
    receiver.refusals = 2

    telling.authorize()

    wait_until(lambda: receiver.types() == AUTHORIZED)


def test_what_was_not_told_is_told_after_a_restart(telling, receiver, wait_until):
    receiver.refusals = 1_000
    telling.authorize()
    telling.kill()
    receiver.refusals = 0
    telling.start()

    wait_until(lambda: set(receiver.types()) == set(AUTHORIZED))


def test_dropped_events_are_listed_and_never_told(telling, receiver, wait_until):
    telling.fault("webhook_drop")
    telling.authorize()
    wait_until(lambda: telling.http.get("/_faults").json()["data"][0]["struck"] == 3)
    telling.http.delete("/_faults")

    telling.intents.list()
    telling.authorize()

    wait_until(lambda: receiver.types() == AUTHORIZED)
    assert len(telling.stripe.v1.events.list().data) == 6


def test_doubled_events_come_twice(telling, receiver, wait_until):
    telling.fault("webhook_twice")

    telling.authorize()

    wait_until(lambda: receiver.types() == dict.fromkeys(AUTHORIZED, 2))


def test_late_and_shuffled_events_come_out_of_order(telling, receiver, wait_until):
    telling.fault("webhook_late", times=1, delay_ms=600)
    telling.fault("webhook_shuffle", delay_ms=100)

    telling.authorize()

    wait_until(lambda: receiver.types() == AUTHORIZED)
    assert receiver.events()[-1].type == "payment_intent.created"
