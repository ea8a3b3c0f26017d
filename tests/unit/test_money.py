"""Money is exact: sums add up, splits lose nothing, and what is not money is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.money import (
    AMOUNT_MINOR_MAX,
    EXPONENTS,
    AmountOutOfRangeError,
    Money,
    UnknownCurrencyError,
    allocate,
    currency_exponent,
    require_currency,
)
from resilience.errors import Refusal

amounts = st.integers(min_value=0, max_value=AMOUNT_MINOR_MAX)
currencies = st.sampled_from(sorted(EXPONENTS))
weight_lists = st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=20).filter(any)


@pytest.mark.parametrize(
    ("currency", "exponent"),
    [
        ("JPY", 0),
        ("KRW", 0),
        ("ISK", 0),
        ("UGX", 0),
        ("EUR", 2),
        ("MGA", 2),
        ("BRL", 2),
        ("KWD", 3),
        ("TND", 3),
    ],
)
def test_a_currency_has_the_decimals_of_iso_4217(currency, exponent):
    assert currency_exponent(currency) == exponent


def test_the_table_holds_every_payable_currency_once():
    by_exponent = {exponent: sum(value == exponent for value in EXPONENTS.values()) for exponent in (0, 2, 3)}

    assert by_exponent == {0: 16, 2: 132, 3: 7}
    assert all(len(currency) == 3 and currency.isascii() and currency.isupper() for currency in EXPONENTS)


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "XXX", "XAU", "CLF", "Eur", "€", "EUR ", "EU\x00"])
def test_what_is_no_currency_is_refused(currency):
    with pytest.raises(UnknownCurrencyError) as refusal:
        require_currency(currency)

    assert isinstance(refusal.value, Refusal)
    assert refusal.value.code == "unknown_currency"
    assert refusal.value.facts == {"currency": currency}


@pytest.mark.parametrize("amount", [-1, AMOUNT_MINOR_MAX + 1, 10**30])
def test_an_amount_out_of_range_is_refused(amount):
    with pytest.raises(AmountOutOfRangeError) as refusal:
        Money(amount, "EUR")

    assert refusal.value.code == "amount_out_of_range"


@pytest.mark.parametrize("amount", [True, 1.0, "1", None])
def test_only_an_int_is_an_amount(amount):
    with pytest.raises(TypeError):
        Money(amount, "EUR")


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(0, "EUR"), "0.00 EUR"),
        (Money(5, "EUR"), "0.05 EUR"),
        (Money(129905, "EUR"), "1,299.05 EUR"),
        (Money(1299, "JPY"), "1,299 JPY"),
        (Money(1005, "KWD"), "1.005 KWD"),
        (Money(AMOUNT_MINOR_MAX, "USD"), "10,000,000,000.00 USD"),
    ],
)
def test_money_is_written_for_people(money, text):
    assert str(money) == text


def test_money_is_shown_as_the_api_shows_it():
    assert Money(1299, "EUR").as_json() == {"amount": 1299, "currency": "EUR"}


@given(money=st.builds(Money, amounts, currencies))
def test_the_text_for_people_holds_every_digit(money):
    digits = str(money).removesuffix(money.currency).replace(",", "").replace(".", "")

    assert int(digits) == money.amount_minor


@given(left=amounts, right=amounts, currency=currencies)
def test_what_was_added_can_be_taken_away(left, right, currency):
    larger, smaller = Money(max(left, right), currency), Money(min(left, right), currency)

    assert (larger - smaller) + smaller == larger


def test_currencies_do_not_mix():
    with pytest.raises(ValueError, match="EUR and USD do not add up"):
        Money(1, "EUR") + Money(1, "USD")
    with pytest.raises(ValueError, match="EUR and USD do not add up"):
        Money(1, "EUR") - Money(1, "USD")


def test_a_difference_below_zero_is_refused():
    with pytest.raises(AmountOutOfRangeError):
        Money(1, "EUR") - Money(2, "EUR")


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (1, [1, 1], [1, 0]),
        (0, [3, 4], [0, 0]),
        (10, [0, 1, 0], [0, 10, 0]),
        (7, [1, 2, 4], [1, 2, 4]),
        (5, [3, 3, 3, 1], [2, 2, 1, 0]),
    ],
)
def test_a_split_gives_leftovers_to_the_largest_remainders(total, weights, parts):
    assert allocate(total, weights) == parts


@given(total=amounts, weights=weight_lists)
def test_a_split_always_sums_and_no_part_is_off_by_a_unit(total, weights):
    parts = allocate(total, weights)

    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)


@given(total=amounts, weights=weight_lists)
def test_a_weight_of_nothing_gets_nothing(total, weights):
    parts = allocate(total, weights)

    assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, []), (1, [0, 0]), (1, [2, -1])])
def test_a_split_that_cannot_be_is_an_error(total, weights):
    with pytest.raises(ValueError, match="a split needs"):
        allocate(total, weights)
