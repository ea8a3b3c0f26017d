"""Amounts as Stripe counts them, and back: whole numbers, exact both ways. Pure.

The danger: Stripe's units are ISO 4217's minor units except where they are not, and there an amount
is wrong by a hundred. Source: docs.stripe.com/currencies, and the SDK's reference for the digits.
"""

from payments.money import EXPONENTS

# Zero decimals in ISO 4217, and two at Stripe for old integrations' sake: 5 ISK are sent as 500.
_HUNDREDFOLD = frozenset({"ISK", "UGX"})
# Two decimals in ISO 4217 (of which a fifth is the smallest coin), and none at Stripe.
_HUNDREDTH = frozenset({"MGA"})
# Three decimals, of which the card networks carry two: the last digit must be 0.
_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# What Stripe's reference says of an amount. Its currencies page allows more for most cards, but not
# for all; a refusal here costs an order, and one more digit there only a refusal of Stripe's own.
_DIGITS_MAX = 8
_DIGITS_MAX_OF = {"IDR": 12, "COP": 10, "INR": 9}


class AmountRefusedError(ValueError):
    """Stripe cannot take this amount. `code` says why, as a decline code of ours."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnevenAmountError(ValueError):
    """An amount of Stripe's is no whole number of minor units."""


def stripe_units(amount_minor: int, currency: str) -> int:
    """Return what to send for `amount_minor` of `currency`. Raises AmountRefusedError."""
    units = amount_minor
    if currency in _HUNDREDFOLD:
        units = amount_minor * 100
    elif currency in _HUNDREDTH:
        units, rest = divmod(amount_minor, 100)
        if rest:
            raise AmountRefusedError(
                "amount_not_representable", f"{currency} is charged here in whole ones, without decimals."
            )
    elif currency in _TENS:
        if amount_minor % 10:
            raise AmountRefusedError(
                "amount_not_representable", f"{currency} is charged here with two decimals, not three."
            )
    elif EXPONENTS.get(currency) not in (0, 2):
        # Neither Stripe's pages nor its list of currencies say how it would count these (IQD, LYD).
        raise AmountRefusedError("currency_not_supported", f"{currency} cannot be charged here.")
    digits = _DIGITS_MAX_OF.get(currency, _DIGITS_MAX)
    if units >= 10**digits:
        raise AmountRefusedError(
            "amount_too_large", f"An amount of {currency} has at most {digits} digits here."
        )
    return units


def iso_units(units: int, currency: str) -> int:
    """Return the ISO minor units of an amount of Stripe's, above zero or below. Raises UnevenAmountError.

    A currency that we do not know keeps its number: no withdrawn one is among the odd ones.
    """
    if currency in _HUNDREDTH:
        return units * 100
    if currency in _HUNDREDFOLD:
        whole, rest = divmod(units, 100)
        if rest:
            raise UnevenAmountError(f"{units} is no whole number of {currency}")
        return whole
    return units
