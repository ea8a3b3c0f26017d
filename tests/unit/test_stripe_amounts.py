"""Stripe's units and ISO 4217's, exactly, in both directions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.gateways.stripe_amounts import AmountRefusedError, UnevenAmountError, iso_units, stripe_units
from payments.money import EXPONENTS

SENT = [
    (1299, "EUR", 1299),
    (1299, "JPY", 1299),
    (5, "ISK", 500),
    (5, "UGX", 500),
    (500, "MGA", 5),
    (5120, "KWD", 5120),
    (99_999_999, "USD", 99_999_999),
    (999_999, "ISK", 99_999_900),
    (9_999_999_900, "MGA", 99_999_999),
    (999_999_999_999, "IDR", 999_999_999_999),
    (9_999_999_999, "COP", 9_999_999_999),
    (999_999_999, "INR", 999_999_999),
    (0, "EUR", 0),
]

REFUSED = [
    (1250, "MGA", "amount_not_representable"),
    (5124, "BHD", "amount_not_representable"),
    (5124, "JOD", "amount_not_representable"),
    (5124, "KWD", "amount_not_representable"),
    (5124, "OMR", "amount_not_representable"),
    (5124, "TND", "amount_not_representable"),
    (1000, "IQD", "currency_not_supported"),
    (1000, "LYD", "currency_not_supported"),
    (1000, "XTS", "currency_not_supported"),
    (100_000_000, "USD", "amount_too_large"),
    (100_000_000, "JPY", "amount_too_large"),
    (1_000_000, "ISK", "amount_too_large"),
    (10_000_000_000, "MGA", "amount_too_large"),
    (100_000_000, "KWD", "amount_too_large"),
    (10**12, "IDR", "amount_too_large"),
    (10**10, "COP", "amount_too_large"),
    (10**9, "INR", "amount_too_large"),
]

THREE_DECIMALS = [currency for currency, exponent in EXPONENTS.items() if exponent == 3]


@pytest.mark.parametrize(("amount_minor", "currency", "units"), SENT)
def test_an_amount_is_sent_in_stripes_units_and_comes_back_as_it_was(amount_minor, currency, units):
    assert stripe_units(amount_minor, currency) == units
    assert iso_units(units, currency) == amount_minor


@pytest.mark.parametrize(("amount_minor", "currency", "code"), REFUSED)
def test_what_stripe_cannot_take_is_refused_with_its_reason(amount_minor, currency, code):
    with pytest.raises(AmountRefusedError, match=currency) as refused:
        stripe_units(amount_minor, currency)

    assert refused.value.code == code


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(0, 10**12))
def test_every_amount_is_refused_or_makes_the_round_trip(currency, amount_minor):
    try:
        units = stripe_units(amount_minor, currency)
    except AmountRefusedError:
        return

    assert type(units) is int
    assert iso_units(units, currency) == amount_minor


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(0, 10**6))
def test_two_amounts_never_share_their_units(currency, amount_minor):
    def units(amount):
        try:
            return stripe_units(amount, currency)
        except AmountRefusedError:
            return None

    assert units(amount_minor) is None or units(amount_minor) != units(amount_minor + 1)


@given(st.sampled_from(["USD", "JPY", "MGA", "KWD", "BGN", "ISK"]), st.integers(-(10**9), 10**9))
def test_money_out_mirrors_money_in(currency, units):
    scaled = units * 100 if currency == "ISK" else units

    assert iso_units(-scaled, currency) == -iso_units(scaled, currency)


@pytest.mark.parametrize("units", [1, 150, -199])
@pytest.mark.parametrize("currency", ["ISK", "UGX"])
def test_a_fraction_that_cannot_be_is_not_rounded(units, currency):
    with pytest.raises(UnevenAmountError):
        iso_units(units, currency)


def test_three_decimals_are_sent_only_where_stripe_says_how():
    sendable = [currency for currency in THREE_DECIMALS if _is_sendable(currency)]

    assert sorted(sendable) == ["BHD", "JOD", "KWD", "OMR", "TND"]


def _is_sendable(currency):
    try:
        return stripe_units(1000, currency) == 1000
    except AmountRefusedError:
        return False
