"""Boletos: issued at once, paid later or never, and nothing of it forgotten by a restart."""

import pytest
import stripe

NEVER_S = 3600


def issue(gateway, method="pm_boleto", **changes):
    params = {
        "amount": 5000,
        "currency": "brl",
        "confirm": True,
        "payment_method": method,
        "payment_method_types": ["boleto"],
    }
    return gateway.intents.create({**params, **changes})


def _in_status(gateway, intent, status):
    after = gateway.intents.retrieve(intent.id)
    return after if after.status == status else None


def test_a_boleto_shows_the_payer_a_slip(gateway):
    gateway.configure(boleto_pays_after_s=NEVER_S)

    intent = issue(gateway, metadata={"order_id": "slip"})

    assert (intent.status, intent.latest_charge, intent.amount_received) == ("requires_action", None, 0)
    assert (intent.payment_method_types, intent.payment_method) == (["boleto"], "pm_boleto")
    assert intent.next_action.type == "boleto_display_details"
    slip = intent.next_action.boleto_display_details
    assert slip.expires_at == pytest.approx(intent.created + 3 * 86_400, abs=1)
    assert (len(slip.number), slip.number.isdigit(), slip.number[-6:]) == (47, True, "005000")
    assert gateway.http.get(slip.hosted_voucher_url).status_code == 200
    assert gateway.http.get(slip.pdf).status_code == 200
    assert gateway.events_of(intent.id) == ["payment_intent.created", "payment_intent.requires_action"]


def test_a_boleto_is_paid_and_cleared_by_itself(gateway, wait_until):
    gateway.configure(boleto_pays_after_s=0.1, boleto_clears_after_s=0.1, fee_fixed=349)
    intent = issue(gateway, metadata={"order_id": "paid"})

    after = wait_until(lambda: _in_status(gateway, intent, "succeeded"))

    assert (after.amount_received, after.next_action, after.last_payment_error) == (5000, None, None)
    charge = gateway.stripe.v1.charges.retrieve(after.latest_charge, {"expand": ["balance_transaction"]})
    assert (charge.status, charge.captured, charge.payment_method_details.type) == (
        "succeeded",
        True,
        "boleto",
    )
    row = charge.balance_transaction
    assert (row.type, row.reporting_category, row.amount, row.fee) == ("payment", "charge", 5000, 349)
    assert gateway.events_of(intent.id, charge.id) == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "payment_intent.processing",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
    last = gateway.stripe.v1.events.list({"limit": 1, "type": "payment_intent.succeeded"}).data[0]
    assert (last.request.id, last.request.idempotency_key) == (None, None)
    assert gateway.summary("paid")["orders"]["paid"]["captured"] == 5000


def test_a_boleto_goes_on_after_a_restart(start_gateway, wait_until):
    gateway = start_gateway()
    gateway.configure(boleto_pays_after_s=0, boleto_clears_after_s=1)
    intent = issue(gateway)
    wait_until(lambda: _in_status(gateway, intent, "processing"))
    gateway.kill()
    gateway.start()

    wait_until(lambda: _in_status(gateway, intent, "succeeded"))

    events = gateway.events_of(intent.id)
    assert events.count("payment_intent.processing") == events.count("payment_intent.succeeded") == 1


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("pm_boleto_expires", {"boleto_pays_after_s": 0.1}),
        ("pm_boleto_unpaid", {"boleto_expires_after_s": 0.1, "boleto_pays_after_s": 0}),
        ("pm_boleto", {"boleto_expires_after_s": 0.1, "boleto_pays_after_s": NEVER_S}),
    ],
)
def test_a_boleto_that_nobody_pays_lapses(gateway, wait_until, method, settings):
    gateway.configure(**settings)
    intent = issue(gateway, method, metadata={"order_id": f"lapses-{method}"})

    after = wait_until(lambda: _in_status(gateway, intent, "requires_payment_method"))

    assert after.last_payment_error.code == "payment_intent_payment_attempt_expired"
    assert after.last_payment_error.payment_method.type == "boleto"
    assert (after.latest_charge, after.payment_method, after.next_action) == (None, None, None)
    assert gateway.events_of(intent.id)[-1] == "payment_intent.payment_failed"
    assert gateway.http.get("/_book/charges", params={"order_id": f"lapses-{method}"}).json()["data"] == []


@pytest.mark.parametrize(
    ("outcome", "status", "events"),
    [
        ("succeed", "succeeded", ["payment_intent.processing", "payment_intent.succeeded"]),
        ("fail", "requires_payment_method", ["payment_intent.payment_failed"]),
    ],
)
def test_a_boleto_is_paid_or_fails_at_once(gateway, outcome, status, events):
    gateway.configure(boleto_pays_after_s=NEVER_S)
    intent = issue(gateway)

    shown = gateway.do(f"/_pay/{intent.id}", outcome=outcome)

    assert shown["status"] == gateway.intents.retrieve(intent.id).status == status
    assert gateway.events_of(intent.id)[2:] == events


def test_a_payer_pays_on_the_page_of_the_slip(gateway):
    gateway.configure(boleto_pays_after_s=NEVER_S)
    intent = issue(gateway)
    page = intent.next_action.boleto_display_details.hosted_voucher_url

    answer = gateway.http.post(page, data={"outcome": "succeed"})

    assert (answer.status_code, "nothing left to do" in answer.text) == (200, True)
    assert gateway.intents.retrieve(intent.id).status == "succeeded"


@pytest.mark.parametrize("outcome", ["", "maybe"])
def test_an_unknown_outcome_pays_nothing(gateway, outcome):
    gateway.configure(boleto_pays_after_s=NEVER_S)
    intent = issue(gateway)

    answer = gateway.http.post(f"/_pay/{intent.id}", json={"outcome": outcome})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "outcome")
    assert gateway.intents.retrieve(intent.id).to_dict() == intent.to_dict()


def test_what_is_no_open_boleto_is_not_paid(gateway):
    waits_for_its_bank = gateway.authorize(payment_method="pm_card_authenticationRequired")
    boleto = issue(gateway)

    for path in (f"/_pay/{gateway.authorize().id}", f"/_pay/{waits_for_its_bank.id}",
                 f"/_authenticate/{boleto.id}"):  # fmt: skip
        answer = gateway.http.post(path, json={"outcome": "succeed"})
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "payment_intent_unexpected_state"


def test_a_boleto_may_be_canceled_until_it_is_paid(gateway, wait_until):
    gateway.configure(boleto_pays_after_s=NEVER_S)
    waiting = issue(gateway)
    gateway.configure(boleto_pays_after_s=0, boleto_clears_after_s=NEVER_S)
    paid = issue(gateway)
    paid = wait_until(lambda: _in_status(gateway, paid, "processing"))

    canceled = gateway.intents.cancel(waiting.id)

    assert (canceled.status, canceled.next_action) == ("canceled", None)
    for step in (gateway.intents.cancel, gateway.intents.confirm, gateway.intents.capture):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            step(paid.id)
        assert (refused.value.http_status, refused.value.code) == (400, "payment_intent_unexpected_state")
    assert gateway.intents.retrieve(paid.id).to_dict() == paid.to_dict()


def test_a_canceled_boleto_is_never_paid(gateway, wait_until):
    gateway.configure(boleto_pays_after_s=0.3, boleto_clears_after_s=0)
    canceled = gateway.intents.cancel(issue(gateway).id)
    later = issue(gateway)

    wait_until(lambda: _in_status(gateway, later, "succeeded"))

    assert gateway.intents.retrieve(canceled.id).to_dict() == canceled.to_dict()


def test_a_second_slip_replaces_the_first(gateway, wait_until):
    gateway.configure(boleto_pays_after_s=0.5, boleto_clears_after_s=0)
    intent = issue(gateway, "pm_boleto_expires")

    gateway.intents.confirm(intent.id, {"payment_method": "pm_boleto"})

    wait_until(lambda: _in_status(gateway, intent, "succeeded"))
    assert "payment_intent.payment_failed" not in gateway.events_of(intent.id)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"capture_method": "manual"}, "capture_method"),
        ({"currency": "eur"}, "currency"),
        ({"payment_method_types": ["card"]}, "payment_method"),
        ({"payment_method": "pm_card_visa"}, "payment_method"),
        ({"payment_method_types": ["barter"]}, "payment_method_types"),
    ],
)
def test_what_a_boleto_cannot_do_is_refused(gateway, changes, param):
    before = gateway.intents.list({"limit": 1}).data

    with pytest.raises(stripe.InvalidRequestError) as refused:
        issue(gateway, **changes)

    assert (refused.value.http_status, refused.value.param) == (400, param)
    assert gateway.intents.list({"limit": 1}).data == before


def test_a_paid_boleto_is_refunded(gateway):
    intent = issue(gateway)
    gateway.do(f"/_pay/{intent.id}", outcome="succeed")

    refund = gateway.refunds.create(
        {"payment_intent": intent.id, "amount": 500, "expand": ["balance_transaction"]}
    )

    assert (refund.status, refund.destination_details.type) == ("succeeded", "boleto")
    row = refund.balance_transaction
    assert (row.type, row.reporting_category, row.amount) == ("payment_refund", "refund", -500)
