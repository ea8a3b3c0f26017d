"""The official SDK, with its typed methods, understands every call that our adapter makes.

The adapter itself sends raw requests and reads plain JSON. Here the same calls go through the methods
that the SDK generates from Stripe's own description of the API, so a path or a parameter that Stripe
does not know would not get through, and what comes back must parse into the SDK's classes.
"""

import re
from uuid import uuid4

import pytest
import stripe

from payments.gateways.base import Authorize, Capture, Refund, Void
from payments.gateways.stripe import StripeGateway
from tests.sandbox.receiver import AUTHORIZED, SECRET

RETURN_URL = "https://shop.example/back"
API_VERSION = "2026-10-28.endive"


def _authorize(gateway, key, *, method="pm_card_visa"):
    return gateway.intents.create(
        {
            "amount": 1299,
            "currency": "eur",
            "capture_method": "manual",
            "confirm": True,
            "payment_method": method,
            "payment_method_types": ["card"],
            "metadata": {"order_id": "order-1", "payment_id": "payment-1", "operation_key": key},
            "return_url": RETURN_URL,
        },
        {"idempotency_key": key},
    )


def _key():
    return f"speaks-{uuid4()}"


def _sent_since(gateway, seq):
    """Return the calls after `seq` in the request log, as (method, path with the id left out)."""
    rows = gateway.http.get("/_book/requests").json()["data"]
    calls = [(row["method"], row["path"]) for row in rows if row["seq"] > seq]
    return {(method, re.sub(r"(pi|re)_\w{24}", "{id}", path)) for method, path in calls}


def _last_seq(gateway):
    rows = gateway.http.get("/_book/requests").json()["data"]
    return rows[0]["seq"] if rows else 0


def _drive_adapter(gateway):
    """Make the adapter send each of its calls."""
    adapter = StripeGateway(name="s", secret_key="sk_test_sandbox", url=gateway.url, return_url=RETURN_URL)
    first = Authorize(_key(), uuid4(), uuid4(), 1299, "EUR", "pm_card_visa")
    second = Authorize(_key(), uuid4(), uuid4(), 1299, "EUR", "pm_card_visa")
    reference = adapter.send(first).reference
    void = Void(_key(), adapter.send(second).reference, "EUR")
    for request in (Capture(_key(), reference, 1000, "EUR"), Refund(_key(), reference, 100, "EUR"), void):
        adapter.send(request)
        adapter.look_up(request)
    adapter.look_up(first)


def _drive_sdk(gateway):
    """Make the SDK send the same calls; return the objects by the call that answered them."""
    key = _key()
    intent, voided = _authorize(gateway, key), _authorize(gateway, _key())
    refund = {"payment_intent": intent.id, "amount": 100, "metadata": {"operation_key": key}}
    found = {"query": f"metadata['operation_key']:'{key}'", "limit": 10}
    return {
        "create": intent,
        "capture": gateway.intents.capture(intent.id, {"amount_to_capture": 1000}),
        "cancel": gateway.intents.cancel(voided.id),
        "refund": gateway.refunds.create(refund, {"idempotency_key": f"{key}-refund"}),
        "retrieve": gateway.intents.retrieve(intent.id),
        "search": gateway.intents.search(found),
        "refunds": gateway.refunds.list({"payment_intent": intent.id, "limit": 100}),
    }


def test_the_sdk_has_a_method_for_every_call_of_the_adapter(gateway, wait_until):
    start = _last_seq(gateway)
    _drive_adapter(gateway)
    # The log of reads follows within a moment; the last call is a read.
    search = ("GET", "/v1/payment_intents/search")
    by_adapter = wait_until(lambda: [s for s in [_sent_since(gateway, start)] if search in s])[0]
    middle = _last_seq(gateway)

    _drive_sdk(gateway)

    assert by_adapter == {
        ("POST", "/v1/payment_intents"),
        ("POST", "/v1/payment_intents/{id}/capture"),
        ("POST", "/v1/payment_intents/{id}/cancel"),
        ("POST", "/v1/refunds"),
        ("GET", "/v1/payment_intents/{id}"),
        search,
        ("GET", "/v1/refunds"),
    }
    wait_until(lambda: _sent_since(gateway, middle) == by_adapter)


def test_every_answer_parses_into_the_sdks_own_classes(gateway):
    answers = _drive_sdk(gateway)

    assert {name: type(answer) for name, answer in answers.items()} == {
        "create": stripe.PaymentIntent,
        "capture": stripe.PaymentIntent,
        "cancel": stripe.PaymentIntent,
        "refund": stripe.Refund,
        "retrieve": stripe.PaymentIntent,
        "search": stripe.SearchResultObject,
        "refunds": stripe.ListObject,
    }
    assert type(answers["search"].data[0]) is stripe.PaymentIntent
    assert type(answers["refunds"].data[0]) is stripe.Refund
    assert answers["create"].last_response.headers["Stripe-Version"] == API_VERSION
    assert answers["create"].last_response.request_id.startswith("req_")


def test_the_fields_that_the_adapter_reads_are_there(gateway):
    answers = _drive_sdk(gateway)
    created, captured, canceled = answers["create"], answers["capture"], answers["cancel"]
    refund, found = answers["refund"], answers["search"]

    assert (created.object, created.status, created.currency) == ("payment_intent", "requires_capture", "eur")
    assert (created.amount, created.amount_capturable, created.amount_received) == (1299, 1299, 0)
    assert created.metadata.to_dict().keys() == {"order_id", "payment_id", "operation_key"}
    assert (captured.id, captured.status, captured.amount_received) == (created.id, "succeeded", 1000)
    assert (canceled.status, canceled.amount, canceled.amount_capturable) == ("canceled", 1299, 0)
    assert (refund.object, refund.status, refund.amount) == ("refund", "succeeded", 100)
    assert (refund.payment_intent, refund.charge) == (created.id, created.latest_charge)
    assert refund.metadata["operation_key"] == created.metadata["operation_key"]
    assert answers["retrieve"].to_dict() == captured.to_dict()
    assert (found.object, found.has_more, found.data[0].to_dict()) == (
        "search_result",
        False,
        captured.to_dict(),
    )
    assert (answers["refunds"].object, answers["refunds"].has_more) == ("list", False)


def test_a_payer_who_has_to_act_gets_an_address(gateway):
    intent = _authorize(gateway, _key(), method="pm_card_threeDSecureRequired")

    assert type(intent.next_action) is stripe.PaymentIntent.NextAction
    assert intent.next_action.type == "redirect_to_url"
    assert intent.next_action.redirect_to_url.url.startswith(gateway.url)
    assert intent.next_action.redirect_to_url.return_url == RETURN_URL


def test_a_decline_is_a_card_error_with_its_code_and_its_payment(gateway):
    with pytest.raises(stripe.CardError) as met:
        _authorize(gateway, _key(), method="pm_card_visa_chargeDeclinedInsufficientFunds")

    error = met.value.error
    assert (met.value.http_status, error.code, error.decline_code) == (
        402,
        "card_declined",
        "insufficient_funds",
    )
    assert type(error.payment_intent) is stripe.PaymentIntent
    intent = gateway.intents.retrieve(error.payment_intent.id)
    assert (intent.status, intent.last_payment_error.decline_code) == (
        "requires_payment_method",
        "insufficient_funds",
    )


def test_a_step_that_comes_too_late_shows_the_payment(gateway):
    intent = _authorize(gateway, _key())
    gateway.intents.cancel(intent.id)

    with pytest.raises(stripe.InvalidRequestError) as met:
        gateway.intents.capture(intent.id, {"amount_to_capture": 1299})

    assert met.value.code == "payment_intent_unexpected_state"
    assert met.value.error.payment_intent.status == "canceled"


def test_more_refunds_than_a_page_are_paged(gateway):
    intent = _authorize(gateway, _key())
    gateway.intents.capture(intent.id)
    refunds = [gateway.refunds.create({"payment_intent": intent.id, "amount": 1}).id for _ in range(3)]

    pages = gateway.refunds.list({"payment_intent": intent.id, "limit": 1})

    assert [refund.id for refund in pages.auto_paging_iter()] == refunds[::-1]


def test_webhooks_are_events_of_the_sdk(telling, receiver, wait_until):
    key = _key()
    intent = _authorize(telling, key)
    telling.intents.capture(intent.id)
    telling.refunds.create({"payment_intent": intent.id, "amount": 100})
    captured = {"charge.captured": 1, "payment_intent.succeeded": 1}
    wait_until(lambda: receiver.types().items() >= {**AUTHORIZED, **captured, "refund.created": 1}.items())

    events = [
        stripe.Webhook.construct_event(body, signature, SECRET) for body, signature in receiver.received
    ]

    assert {type(event) for event in events} == {stripe.Event}
    assert {event.api_version for event in events} == {API_VERSION}
    about = {event.type: event.data.object for event in events}
    assert type(about["payment_intent.succeeded"]) is stripe.PaymentIntent
    assert about["payment_intent.succeeded"].amount_received == 1299
    assert type(about["charge.captured"]) is stripe.Charge
    assert about["charge.captured"].payment_intent == intent.id
    assert type(about["refund.created"]) is stripe.Refund
    assert about["refund.created"].amount == 100
    assert [event.request.idempotency_key for event in events if event.type in AUTHORIZED] == [key] * 3
