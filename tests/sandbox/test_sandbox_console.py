"""The dashboard: what happens at the gateway behind the platform's back, and differences planted."""

import pytest
import stripe


def _captured(gateway, **changes):
    return gateway.authorize(capture_method="automatic", **changes)


def test_a_person_gives_money_back(gateway):
    intent = _captured(gateway, metadata={"order_id": "by-hand"})

    part = gateway.do("/_console/refund", payment_intent=intent.id, amount=299)
    rest = gateway.do("/_console/refund", payment_intent=intent.id)

    assert (part["amount"], rest["amount"], part["metadata"]) == (299, 1000, {})
    assert gateway.summary("by-hand")["orders"]["by-hand"]["refunded"] == 1299
    assert gateway.events_of(part["id"]) == ["refund.created"]
    assert gateway.events_of(intent.latest_charge)[-2:] == ["charge.refunded"] * 2
    listed = gateway.refunds.list({"payment_intent": intent.id, "created": {"gte": part["created"]}}).data
    assert [refund.id for refund in listed] == [rest["id"], part["id"]]
    later = {"payment_intent": intent.id, "created": {"gt": part["created"] + 60}}
    assert gateway.refunds.list(later).data == []
    assert [row["operation"] for row in gateway.requests("by-hand")].count("console") == 2


def test_a_person_captures(gateway):
    intent = gateway.authorize()

    shown = gateway.do("/_console/capture", payment_intent=intent.id)

    assert (shown["status"], shown["amount_received"]) == ("succeeded", 1299)
    assert gateway.events_of(intent.id, intent.latest_charge)[-2:] == [
        "charge.captured",
        "payment_intent.succeeded",
    ]
    part = gateway.do("/_console/capture", payment_intent=gateway.authorize().id, amount=5)
    assert part["amount_received"] == 5


def test_a_person_cancels(gateway):
    intent = gateway.authorize()

    shown = gateway.do("/_console/cancel", payment_intent=intent.id)

    assert (shown["status"], shown["cancellation_reason"]) == ("canceled", "requested_by_customer")
    assert gateway.events_of(intent.id)[-1] == "payment_intent.canceled"


def test_a_person_takes_money_of_which_nobody_knows(gateway):
    shown = gateway.do("/_console/charge", amount=700, currency="eur", metadata={"who": "ada"})
    voucher = gateway.do("/_console/charge", amount=1, currency="usd", payment_method="pm_voucher")

    assert (shown["status"], shown["amount_received"], shown["metadata"]) == (
        "succeeded",
        700,
        {"who": "ada"},
    )
    assert (voucher["status"], voucher["payment_method_types"]) == ("succeeded", ["voucher"])
    assert gateway.events_of(shown["id"]) == ["payment_intent.created", "payment_intent.succeeded"]
    [row] = gateway.stripe.v1.balance_transactions.list({"source": shown["latest_charge"]}).data
    assert row.amount == 700


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("refund", {}, 400),
        ("refund", {"payment_intent": "pi_missing"}, 404),
        ("capture", {"payment_intent": "pi_missing"}, 404),
        ("cancel", {"payment_intent": "pi_missing", "colour": "blue"}, 400),
        ("charge", {"amount": 0, "currency": "eur"}, 400),
        ("charge", {"amount": [1], "currency": "eur"}, 400),
        ("charge", {"amount": 700, "currency": "eur", "payment_method": "pm_card_chargeDeclined"}, 402),
        ("tamper", {"payment_intent": "pi_missing", "amount": 1}, 404),
        ("forget", {"payment_intent": "pi_missing"}, 404),
        ("burn", {"payment_intent": "pi_missing"}, 404),
    ],
)
def test_the_dashboard_refuses_what_makes_no_sense(gateway, action, body, status):
    assert gateway.http.post(f"/_console/{action}", json=body).status_code == status


def test_a_step_that_the_state_refuses_is_refused_in_the_dashboard_too(gateway):
    intent = _captured(gateway)

    for action in ("capture", "cancel"):
        answer = gateway.http.post(f"/_console/{action}", json={"payment_intent": intent.id})
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "payment_intent_unexpected_state"
    assert gateway.intents.retrieve(intent.id).to_dict() == intent.to_dict()


def test_an_amount_is_tampered_with_everywhere_and_nobody_is_told(gateway):
    intent = _captured(gateway, metadata={"order_id": "tampered"})
    told = gateway.stripe.v1.events.list({"limit": 1}).data[0].id

    gateway.do("/_console/tamper", payment_intent=intent.id, amount=1300)

    after = gateway.intents.retrieve(intent.id, {"expand": ["latest_charge.balance_transaction"]})
    charge = after.latest_charge
    assert (after.amount, after.amount_received, after.amount_capturable) == (1300, 1300, 0)
    assert (charge.amount, charge.amount_captured, charge.balance_transaction.amount) == (1300, 1300, 1300)
    assert gateway.summary("tampered")["orders"]["tampered"]["captured"] == 1300
    assert gateway.stripe.v1.events.list({"limit": 1}).data[0].id == told


def test_a_currency_is_tampered_with_everywhere(gateway):
    intent = _captured(gateway)

    gateway.do("/_console/tamper", payment_intent=intent.id, currency="usd")

    after = gateway.intents.retrieve(intent.id, {"expand": ["latest_charge.balance_transaction"]})
    charge = after.latest_charge
    assert {after.currency, charge.currency, charge.balance_transaction.currency} == {"usd"}
    assert after.amount == 1299


def test_an_authorization_is_tampered_with_and_can_still_be_captured(gateway):
    intent = gateway.authorize()

    gateway.do("/_console/tamper", payment_intent=intent.id, amount=99)

    assert gateway.intents.capture(intent.id).amount_received == 99


def test_a_payment_is_not_tampered_with_below_what_was_refunded(gateway):
    intent = _captured(gateway)
    gateway.refunds.create({"payment_intent": intent.id, "amount": 1000})

    for body in ({"amount": 999}, {}):
        answer = gateway.http.post("/_console/tamper", json={"payment_intent": intent.id, **body})
        assert answer.status_code == 400
    assert gateway.intents.retrieve(intent.id).amount == 1299


def test_a_forgotten_payment_never_was_here(gateway):
    options = {"idempotency_key": "forgotten"}
    params = {"capture_method": "automatic", "metadata": {"order_id": "forgotten"}}
    intent = gateway.authorize(**params, options=options)
    refund = gateway.refunds.create({"payment_intent": intent.id})
    before = gateway.stripe.v1.events.list({"limit": 1}).data[0].id

    gateway.do("/_console/forget", payment_intent=intent.id)

    for retrieve, id in (
        (gateway.intents.retrieve, intent.id),
        (gateway.refunds.retrieve, refund.id),
        (gateway.stripe.v1.charges.retrieve, intent.latest_charge),
        (gateway.stripe.v1.balance_transactions.retrieve, refund.balance_transaction),
    ):
        with pytest.raises(stripe.InvalidRequestError) as missing:
            retrieve(id)
        assert missing.value.http_status == 404
    assert gateway.intents.search({"query": "metadata['order_id']:'forgotten'"}).data == []
    assert gateway.summary("forgotten")["orders"] == {}
    assert gateway.stripe.v1.events.list({"limit": 1}).data[0].id == before
    assert gateway.authorize(**params, options=options).id != intent.id


def test_nothing_happens_any_more_to_a_forgotten_payment(gateway, wait_until):
    gateway.configure(boleto_pays_after_s=0.3, boleto_clears_after_s=0, dispute_after_s=0.3)
    boleto = {"amount": 500, "currency": "brl", "payment_method": "pm_boleto"}
    forgotten = [
        gateway.do("/_console/charge", **boleto)["id"],
        _captured(gateway, payment_method="pm_card_createDispute").id,
    ]
    for intent_id in forgotten:
        gateway.do("/_console/forget", payment_intent=intent_id)
    later = _captured(gateway, payment_method="pm_card_createDispute")

    wait_until(lambda: gateway.stripe.v1.disputes.list({"payment_intent": later.id}).data)

    for intent_id in forgotten:
        assert gateway.stripe.v1.disputes.list({"payment_intent": intent_id}).data == []
        assert "payment_intent.processing" not in gateway.events_of(intent_id)
