"""Vouchers, which stand for gift cards: held, redeemed, let go; or spent."""

import pytest
import stripe


def hold(gateway, method="pm_voucher", **changes):
    return gateway.authorize(payment_method=method, payment_method_types=["voucher"], **changes)


def test_a_voucher_is_held_and_redeemed_at_capture(gateway):
    intent = hold(gateway, currency="usd")
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 1299)

    captured = gateway.intents.capture(intent.id, {"amount_to_capture": 1000})

    assert (captured.status, captured.amount_received) == ("succeeded", 1000)
    charge = gateway.stripe.v1.charges.retrieve(intent.latest_charge, {"expand": ["balance_transaction"]})
    assert charge.payment_method_details.type == "voucher"
    assert (charge.balance_transaction.type, charge.balance_transaction.amount) == ("payment", 1000)


def test_a_held_voucher_may_be_let_go(gateway):
    assert gateway.intents.cancel(hold(gateway).id).status == "canceled"


def test_a_voucher_may_be_redeemed_at_once(gateway):
    assert hold(gateway, capture_method="automatic").amount_received == 1299


def test_a_spent_voucher_is_declined(gateway):
    with pytest.raises(stripe.CardError) as declined:
        hold(gateway, "pm_voucher_spent", metadata={"order_id": "spent"})

    error = declined.value.error
    assert (error.type, error.decline_code) == ("card_error", "insufficient_funds")
    assert error.payment_method.type == "voucher"
    assert gateway.summary("spent")["orders"]["spent"]["declined"] == 1


@pytest.mark.parametrize(
    ("method", "types"), [("pm_voucher", ["card"]), ("pm_card_visa", ["voucher"]), ("pm_voucher", ["boleto"])]
)
def test_a_payment_takes_only_its_types(gateway, method, types):
    changes = {"currency": "brl", "capture_method": "automatic"} if types == ["boleto"] else {}

    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.authorize(payment_method=method, payment_method_types=types, **changes)

    assert (refused.value.http_status, refused.value.param) == (400, "payment_method")


def test_a_payment_may_take_several_types(gateway):
    intent = gateway.authorize(payment_method="pm_voucher", payment_method_types=["card", "voucher"])

    assert (intent.status, intent.payment_method_types) == ("requires_capture", ["card", "voucher"])
