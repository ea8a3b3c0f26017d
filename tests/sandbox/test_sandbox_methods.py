"""The public test cards: which succeed, which are refused and how, which ask the payer."""

import pytest
import stripe

DECLINES = {
    "pm_card_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": ("card_declined", "lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": ("card_declined", "stolen_card"),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": ("card_declined", "card_velocity_exceeded"),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", "incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": ("processing_error", "processing_error"),
    "pm_card_chargeCustomerFail": ("card_declined", "generic_decline"),
    "pm_card_radarBlock": ("card_declined", "fraudulent"),
}
AUTHENTICATIONS = (
    "pm_card_authenticationRequired",
    "pm_card_authenticationRequiredOnSetup",
    "pm_card_threeDSecureRequired",
    "pm_card_threeDSecure2Required",
)


@pytest.mark.parametrize(
    "method", ["pm_card_visa", "pm_card_visa_debit", "pm_card_mastercard", "pm_card_amex", "pm_card_br"]
)
def test_good_cards_are_authorized(gateway, method):
    assert gateway.authorize(payment_method=method).status == "requires_capture"


@pytest.mark.parametrize("method", DECLINES)
def test_a_declined_card_is_a_card_error_with_its_codes(gateway, method):
    with pytest.raises(stripe.CardError) as declined:
        gateway.authorize(payment_method=method, metadata={"order_id": method})

    error = declined.value
    code, decline_code = DECLINES[method]
    assert error.http_status == 402
    assert (error.code, error.error.decline_code, error.error.type) == (code, decline_code, "card_error")
    assert error.error.doc_url == f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
    assert error.error.payment_method.id == method
    intent = gateway.intents.retrieve(error.error.payment_intent.id, {"expand": ["latest_charge"]})
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error.decline_code == decline_code
    assert (intent.latest_charge.status, intent.latest_charge.failure_code) == ("failed", code)
    assert intent.latest_charge.id == error.error.charge
    order = gateway.summary(method)["orders"][method]
    assert (order["captured"], order["open_authorizations"], order["declined"]) == (0, 0, 1)


def test_another_card_may_be_tried_after_a_decline(gateway):
    with pytest.raises(stripe.CardError) as declined:
        gateway.authorize(payment_method="pm_card_visa_chargeDeclined")

    intent = gateway.intents.confirm(
        declined.value.error.payment_intent.id, {"payment_method": "pm_card_visa"}
    )

    assert (intent.status, intent.last_payment_error) == ("requires_capture", None)


@pytest.mark.parametrize("method", AUTHENTICATIONS)
def test_a_payer_who_authenticates_is_authorized(gateway, method):
    intent = gateway.authorize(payment_method=method, return_url="https://shop.example/back?order=7")
    assert intent.status == "requires_action"
    action = intent.next_action
    assert action.type == "redirect_to_url"
    assert action.redirect_to_url.return_url == "https://shop.example/back?order=7"
    page = gateway.http.get(action.redirect_to_url.url)
    assert page.status_code == 200
    assert "Complete authentication" in page.text

    answer = gateway.http.post(action.redirect_to_url.url, data={"outcome": "succeed"})

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(
        f"https://shop.example/back?order=7&payment_intent={intent.id}&payment_intent_client_secret="
    )
    assert answer.headers["Location"].endswith("redirect_status=succeeded")
    after = gateway.intents.retrieve(intent.id)
    assert (after.status, after.next_action, after.amount_capturable) == ("requires_capture", None, 1299)
    assert "nothing left to do" in gateway.http.get(action.redirect_to_url.url).text


def test_a_payer_who_fails_is_not_charged(gateway):
    intent = gateway.authorize(payment_method="pm_card_authenticationRequired")

    answer = gateway.http.post(f"/_authenticate/{intent.id}", json={"outcome": "fail"})

    assert answer.json()["status"] == "requires_payment_method"
    after = gateway.intents.retrieve(intent.id)
    assert after.last_payment_error.code == "payment_intent_authentication_failure"
    assert after.latest_charge is None


def test_a_card_may_be_declined_after_authentication(gateway):
    intent = gateway.authorize(payment_method="pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")

    gateway.http.post(f"/_authenticate/{intent.id}", json={"outcome": "succeed"})

    after = gateway.intents.retrieve(intent.id)
    assert after.status == "requires_payment_method"
    assert after.last_payment_error.decline_code == "insufficient_funds"


@pytest.mark.parametrize("outcome", ["", "maybe", None])
def test_an_unknown_outcome_changes_nothing(gateway, outcome):
    intent = gateway.authorize(payment_method="pm_card_authenticationRequired")

    answer = gateway.http.post(f"/_authenticate/{intent.id}", json={"outcome": outcome})

    assert answer.status_code == 400
    assert gateway.intents.retrieve(intent.id).status == "requires_action"


def test_a_payment_that_does_not_wait_cannot_be_authenticated(gateway):
    intent = gateway.authorize()

    answer = gateway.http.post(f"/_authenticate/{intent.id}", json={"outcome": "succeed"})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "payment_intent_unexpected_state"


def test_without_the_payer_an_authentication_is_a_decline(gateway):
    with pytest.raises(stripe.CardError) as declined:
        gateway.authorize(payment_method="pm_card_authenticationRequired", off_session=True)

    assert declined.value.code == "authentication_required"
