"""Card numbers are told from other numbers. The numbers are the public test numbers of the schemes."""

import pytest

from resilience.rest.card_numbers import holds_card_number


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424242",
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "4222222222222",  # Visa of 13 digits
        "5555555555554444",
        "2223003122003222",  # Mastercard, second range
        "378282246310005",
        "3782 822463 10005",
        "36227206271667",
        "6011111111111117",
        "3566002020360505",
        "6200000000000005",
        "my card is 4242424242424242, thanks",
        "card_4242424242424242",
        "no:4242424242424242;cvc:123",
        "4242 4242 4242 4242 123",
    ],
)
def test_a_card_number_is_told(text: str) -> None:
    assert holds_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4242424242424241",  # wrong check digit
        "424242424242424",  # a length Visa has not
        "1234567890123452",  # right check digit, no issuer
        "42424242424242424242424242",
        "x4242424242424242",
        "4242424242424242x",
        "pm_1Mq4242424242424242abc",
        "4006381333931",  # an article number (EAN) that passes Luhn's check or not
        "5901234123457",
        "1763900000000",  # a time stamp in ms
        "01a208d2-4242-4242-8242-424242424242",
        "42424242-4242-4242-8424-242424242424",
        "b7cf4242424242424242e1",
        "+49 4242 424242",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    assert not holds_card_number(text)


def test_an_article_number_that_passes_luhn_is_left_alone() -> None:
    article_numbers = [f"{head}{_gtin_check(head)}" for head in (f"40063813{n:04d}" for n in range(2000))]

    assert not any(holds_card_number(number) for number in article_numbers)


def _gtin_check(head: str) -> int:
    return -sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(head)) % 10
