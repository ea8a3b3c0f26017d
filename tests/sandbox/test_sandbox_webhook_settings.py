"""Where events are told, which of them, signed by which secrets; and telling one again."""

import stripe

from tests.sandbox.receiver import AUTHORIZED, SECRET

NEW = "whsec_new"


def _accepted_by(receiver, secret):
    accepted = 0
    for body, signature in receiver.received:
        try:
            stripe.Webhook.construct_event(body, signature, secret)
        except stripe.SignatureVerificationError:
            continue
        accepted += 1
    return accepted


def test_during_a_rotation_each_secret_verifies_and_afterwards_only_the_new_one(
    telling, receiver, wait_until
):
    telling.configure(webhook_secrets=[NEW, SECRET])
    telling.authorize()
    wait_until(lambda: len(receiver.received) == 3)
    assert {signature.count("v1=") for _, signature in receiver.received} == {2}
    assert (_accepted_by(receiver, SECRET), _accepted_by(receiver, NEW)) == (3, 3)

    telling.configure(webhook_secrets=[NEW])
    telling.authorize()

    wait_until(lambda: len(receiver.received) == 6)
    assert (_accepted_by(receiver, SECRET), _accepted_by(receiver, NEW)) == (3, 6)


def test_two_secrets_can_be_given_at_the_start(start_gateway, receiver, wait_until):
    gateway = start_gateway(
        "--webhook-url", receiver.url, "--webhook-secret", NEW, "--webhook-secret", SECRET
    )

    gateway.authorize()

    wait_until(lambda: len(receiver.received) == 3)
    assert (_accepted_by(receiver, SECRET), _accepted_by(receiver, NEW)) == (3, 3)


def test_only_enabled_events_are_told_and_the_others_are_settled(start_gateway, receiver, wait_until):
    gateway = start_gateway(
        "--webhook-url", receiver.url, "--webhook-secret", SECRET,
        "--webhook-events", "charge.succeeded,charge.captured",
    )  # fmt: skip
    intent = gateway.authorize()
    wait_until(lambda: len(gateway.deliveries()) == 3)
    assert receiver.types() == {"charge.succeeded": 1}
    assert {row["settled"] for row in gateway.deliveries()} == {1}

    gateway.configure(webhook_events=None)
    gateway.intents.capture(intent.id)

    told = {"charge.succeeded": 1, "charge.captured": 1, "payment_intent.succeeded": 1}
    wait_until(lambda: receiver.types() == told)


def test_an_endpoint_that_comes_later_hears_what_happens_from_then_on(start_gateway, receiver, wait_until):
    gateway = start_gateway()
    gateway.authorize()
    gateway.configure(webhook_url=receiver.url, webhook_secrets=[SECRET])

    gateway.authorize(amount=500)

    wait_until(lambda: receiver.types() == AUTHORIZED)
    assert {event.data.object.amount for event in receiver.events()} == {500}


def test_without_an_address_nothing_is_told(telling, receiver, wait_until):
    telling.configure(webhook_url=None)
    telling.authorize(amount=500)
    assert telling.http.post("/_faults", json={"fault": "webhook_late"}).status_code == 400

    telling.configure(webhook_url=receiver.url)
    telling.authorize()

    wait_until(lambda: receiver.types() == AUTHORIZED)
    assert {event.data.object.amount for event in receiver.events()} == {1299}


def test_an_event_can_be_sent_again_even_if_it_was_dropped(telling, receiver, wait_until):
    telling.fault("webhook_drop")
    telling.authorize()
    wait_until(lambda: len(telling.deliveries()) == 3)
    telling.http.delete("/_faults")
    event = telling.stripe.v1.events.list().data[0]

    answer = telling.http.post("/_webhooks/redeliver", json={"event": event.id})

    assert answer.json() == {"event": event.id, "redelivered": True}
    wait_until(lambda: [told.id for told in receiver.events()] == [event.id])
    attempts = wait_until(lambda: [rows for rows in [telling.deliveries(event.id)] if len(rows) == 2])[0]
    assert [(row["status"], row["fault"], row["settled"]) for row in attempts] == [
        (200, None, 1),
        (None, "webhook_drop", 1),
    ]
    assert {(row["event"], row["type"]) for row in attempts} == {(event.id, event.type)}


def test_an_event_that_nobody_knows_or_could_be_told_is_not_sent_again(telling):
    unknown = telling.http.post("/_webhooks/redeliver", json={"event": "evt_nobody"})
    event_id = telling.authorize() and telling.stripe.v1.events.list().data[0].id
    telling.configure(webhook_url=None)
    untold = telling.http.post("/_webhooks/redeliver", json={"event": event_id})

    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "resource_missing")
    assert untold.status_code == 400
