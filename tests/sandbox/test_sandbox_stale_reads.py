"""Reads that lag behind: what is new is not there yet, and what changed looks as it did."""

import time

import pytest
import stripe

# Long enough for the few calls of a test on a busy machine.
LAG_MS = 2_500


def _found(gateway, order_id, status=""):
    query = f"metadata['order_id']:'{order_id}'" + (f" AND status:'{status}'" if status else "")
    return [intent.id for intent in gateway.intents.search({"query": query}).data]


def test_what_is_new_is_not_there_yet_and_appears_later(gateway, wait_until):
    gateway.fault("stale_reads", delay_ms=LAG_MS)
    intent = gateway.authorize(metadata={"order_id": "stale-1"}, customer="cus_stale")

    with pytest.raises(stripe.InvalidRequestError) as missing:
        gateway.intents.retrieve(intent.id)
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError):
        gateway.stripe.v1.charges.retrieve(intent.latest_charge)
    assert _found(gateway, "stale-1") == []
    assert gateway.intents.list({"customer": "cus_stale"}).data == []
    assert intent.id not in [event.data.object.id for event in gateway.stripe.v1.events.list().data]
    assert gateway.summary("stale-1")["orders"]["stale-1"]["open_authorizations"] == 1

    wait_until(lambda: _found(gateway, "stale-1") == [intent.id])
    assert gateway.intents.retrieve(intent.id).status == "requires_capture"


def test_a_change_is_not_seen_yet(gateway, wait_until):
    intent = gateway.authorize(metadata={"order_id": "stale-2"})
    _let_pass(LAG_MS)
    gateway.fault("stale_reads", delay_ms=LAG_MS)

    captured = gateway.intents.capture(intent.id, {"expand": ["latest_charge"]})
    refund = gateway.refunds.create({"payment_intent": intent.id, "amount": 100})

    assert captured.latest_charge.captured
    stale = gateway.intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (stale.status, stale.amount_received) == ("requires_capture", 0)
    assert (stale.latest_charge.captured, stale.latest_charge.amount_refunded) == (False, 0)
    assert _found(gateway, "stale-2", "requires_capture") == [intent.id]
    assert _found(gateway, "stale-2", "succeeded") == []
    assert gateway.refunds.list({"payment_intent": intent.id}).data == []
    with pytest.raises(stripe.InvalidRequestError):
        gateway.refunds.retrieve(refund.id)
    wait_until(lambda: _found(gateway, "stale-2", "succeeded") == [intent.id])
    wait_until(lambda: [one.id for one in gateway.refunds.list({"payment_intent": intent.id})] == [refund.id])


def test_the_past_is_in_order_and_has_pages(gateway):
    intents = [gateway.authorize(customer="cus_past").id for _ in range(3)]
    _let_pass(LAG_MS)
    gateway.fault("stale_reads", delay_ms=LAG_MS)
    gateway.intents.cancel(intents[1])
    gateway.authorize(customer="cus_past")

    pages = gateway.intents.list({"customer": "cus_past", "limit": 1})

    seen = [(intent.id, intent.status) for intent in pages.auto_paging_iter()]
    assert seen == [(id, "requires_capture") for id in reversed(intents)]


def test_a_stale_answer_is_logged_and_writes_are_never_stale(gateway, wait_until):
    gateway.fault("stale_reads", operation="retrieve", delay_ms=0)
    intent = gateway.authorize(metadata={"order_id": "stale-3"})

    gateway.intents.retrieve(intent.id)
    gateway.intents.capture(intent.id)

    log = wait_until(lambda: [rows for rows in [gateway.requests("stale-3")] if len(rows) == 3])[0]
    assert {row["operation"]: row["fault"] for row in log} == {
        "create": None,
        "retrieve": "stale_reads",
        "capture": None,
    }


def test_a_card_makes_only_its_own_payments_stale(gateway, wait_until):
    other = gateway.authorize(metadata={"order_id": "stale-5"})
    intent = gateway.authorize(
        payment_method="pm_card_visa_fault_stale_reads", metadata={"order_id": "stale-4"}
    )

    with pytest.raises(stripe.InvalidRequestError):
        gateway.intents.retrieve(intent.id)
    assert _found(gateway, "stale-4") == []
    assert gateway.intents.retrieve(other.id).id == other.id
    assert _found(gateway, "stale-5") == [other.id]
    # The card's lag is the default, 3 s.
    wait_until(lambda: _found(gateway, "stale-4") == [intent.id])


def _let_pass(wait_ms):
    """Wait until what is there is older than `wait_ms`: the lag is in real time."""
    time.sleep(wait_ms / 1_000 + 0.05)
