"""Amounts that a currency has no coins for, or that are too large, as Stripe refuses them."""

import pytest
import stripe

THREE_DECIMALS = ("bhd", "jod", "kwd", "omr", "tnd")


@pytest.mark.parametrize(
    ("currency", "amount"),
    [*((currency, 1005) for currency in THREE_DECIMALS), ("isk", 1250), ("ugx", 101), ("isk", 99)],
)
def test_an_uneven_amount_is_refused_and_nothing_is_written(gateway, currency, amount):
    before = gateway.intents.list({"limit": 1}).data

    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.authorize(currency=currency, amount=amount)

    error = refused.value
    assert (error.http_status, error.param, error.code) == (400, "amount", "invalid_charge_amount")
    assert f"Amounts in {currency} must be evenly divisible by" in error.user_message
    assert gateway.intents.list({"limit": 1}).data == before


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        *((currency, 1010) for currency in THREE_DECIMALS),
        ("isk", 1200),
        ("ugx", 100),
        ("jpy", 1),
        ("eur", 99),
    ],
)
def test_an_even_amount_is_taken(gateway, currency, amount):
    assert gateway.authorize(currency=currency, amount=amount).amount_capturable == amount


def test_an_uneven_part_is_neither_captured_nor_given_back(gateway):
    intent = gateway.authorize(currency="kwd", amount=10_000)
    with pytest.raises(stripe.InvalidRequestError) as uncaptured:
        gateway.intents.capture(intent.id, {"amount_to_capture": 5001})
    gateway.intents.capture(intent.id, {"amount_to_capture": 5000})
    with pytest.raises(stripe.InvalidRequestError) as unrefunded:
        gateway.refunds.create({"payment_intent": intent.id, "amount": 4999})

    assert (uncaptured.value.http_status, uncaptured.value.param) == (400, "amount_to_capture")
    assert (unrefunded.value.http_status, unrefunded.value.param) == (400, "amount")
    charge = gateway.stripe.v1.charges.retrieve(intent.latest_charge)
    assert (charge.amount_captured, charge.amount_refunded) == (5000, 0)


def test_eight_digits_are_the_most(gateway):
    assert gateway.authorize(amount=99_999_999).amount == 99_999_999
    with pytest.raises(stripe.InvalidRequestError) as refused:
        gateway.authorize(amount=100_000_000)
    assert refused.value.code == "amount_too_large"
