"""Authorizations that nobody captures end, by themselves or at once."""

import pytest
import stripe


def _ended(gateway, intent):
    after = gateway.intents.retrieve(intent.id)
    return after if after.status == "canceled" else None


def test_an_authorization_past_its_time_is_let_go(gateway, wait_until):
    gateway.configure(authorization_s=1)
    intent = gateway.authorize(metadata={"order_id": "expires"}, expand=["latest_charge"])
    charge = intent.latest_charge
    assert charge.payment_method_details.card.capture_before == charge.created + 1

    after = wait_until(lambda: _ended(gateway, intent))

    assert (after.cancellation_reason, after.amount_capturable) == ("automatic", 0)
    assert after.canceled_at >= charge.created + 1
    assert gateway.events_of(intent.id)[-1] == "payment_intent.canceled"
    order = gateway.summary("expires")["orders"]["expires"]
    assert (order["captured"], order["open_authorizations"]) == (0, 0)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.intents.capture(intent.id)
    assert refused.value.code == "payment_intent_unexpected_state"


def test_what_was_captured_or_authorized_before_the_change_stays(gateway, wait_until):
    longer = gateway.authorize()
    gateway.configure(authorization_s=2)
    captured = gateway.intents.capture(gateway.authorize().id)
    expiring = gateway.authorize()

    wait_until(lambda: _ended(gateway, expiring))

    assert gateway.intents.retrieve(longer.id).status == "requires_capture"
    assert gateway.intents.retrieve(captured.id).status == "succeeded"


def test_an_authorization_that_ended_while_the_gateway_was_away_is_let_go(start_gateway, wait_until):
    gateway = start_gateway()
    gateway.configure(authorization_s=1)
    intent = gateway.authorize()
    gateway.kill()
    gateway.start()

    assert wait_until(lambda: _ended(gateway, intent)).cancellation_reason == "automatic"
    assert gateway.events_of(intent.id).count("payment_intent.canceled") == 1


def test_an_authorization_may_be_ended_at_once(gateway):
    intent = gateway.authorize()

    shown = gateway.do(f"/_expire/{intent.id}")

    assert (shown["status"], shown["cancellation_reason"]) == ("canceled", "automatic")
    event = gateway.stripe.v1.events.list({"limit": 1}).data[0]
    assert (event.type, event.data.object.id) == ("payment_intent.canceled", intent.id)


@pytest.mark.parametrize("changes", [{"capture_method": "automatic"}, {"confirm": False}])
def test_what_is_not_authorized_does_not_expire(gateway, changes):
    intent = gateway.authorize(**changes)

    answer = gateway.http.post(f"/_expire/{intent.id}")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "payment_intent_unexpected_state"
    assert gateway.intents.retrieve(intent.id).to_dict() == intent.to_dict()


@pytest.mark.parametrize("value", [-1, 0.5, True, "7"])
def test_a_setting_that_makes_no_sense_is_refused(gateway, value):
    before = gateway.http.get("/_config").json()

    answer = gateway.http.post("/_config", json={"authorization_s": value})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "authorization_s")
    assert gateway.http.get("/_config").json() == before
