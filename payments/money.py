"""Money: a whole number of minor units and an ISO 4217 currency.

The danger: a yen taken for a cent is wrong by a hundred, and a float loses one somewhere in a sum.
So an amount is an integer, the currency travels with it, and only the table below knows how many
decimals a currency has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from resilience.errors import Refusal

# Ten thousand million euros: far above any order, and a million such amounts still sum within the
# 64 bits of a bigint column. Doubling it is harmless; a hundred times more is not.
AMOUNT_MINOR_MAX = 10**12

# ISO 4217, the currencies one can pay in: neither metals, nor testing codes, nor the units of account
# (CLF, UYW, CHE, ...). Its exponents: JPY has none, KWD has three; all others have two.
_WITHOUT_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_WITH_TWO_DECIMALS = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY
    COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR
    MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG
    SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES
    WST XCD XCG YER ZAR ZMW ZWG
"""
_WITH_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"

EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_WITHOUT_DECIMALS.split(), 0),
    **dict.fromkeys(_WITH_TWO_DECIMALS.split(), 2),
    **dict.fromkeys(_WITH_THREE_DECIMALS.split(), 3),
}


class UnknownCurrencyError(Refusal):
    """The currency is not one of ISO 4217, in capitals."""

    code = "unknown_currency"


class AmountOutOfRangeError(Refusal):
    """The amount is negative or above `AMOUNT_MINOR_MAX`."""

    code = "amount_out_of_range"


@dataclass(frozen=True, slots=True)
class Money:
    """`amount_minor` of `currency`, never negative: which way it flows is the ledger's to say.

    Raises UnknownCurrencyError and AmountOutOfRangeError (refusals, fit for users), and TypeError
    for anything but an int.
    """

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:  # a bool is an int too, and True is not a cent
            raise TypeError(f"an amount is an int of minor units, not {type(self.amount_minor).__name__}")
        require_currency(self.currency)
        if not 0 <= self.amount_minor <= AMOUNT_MINOR_MAX:
            raise AmountOutOfRangeError(
                f"an amount is between 0 and {AMOUNT_MINOR_MAX} minor units", amount_minor=self.amount_minor
            )

    def __add__(self, other: Self) -> "Money":
        self._require_same_currency(other)
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __sub__(self, other: Self) -> "Money":
        self._require_same_currency(other)
        return Money(self.amount_minor - other.amount_minor, self.currency)

    def __str__(self) -> str:
        """Write it for people: `1,299.05 EUR`, `1,299 JPY`."""
        exponent = EXPONENTS[self.currency]
        whole, part = divmod(self.amount_minor, 10**exponent)
        decimals = f".{part:0{exponent}d}" if exponent else ""
        return f"{whole:,}{decimals} {self.currency}"

    def as_json(self) -> dict[str, int | str]:
        """Return the object that the API shows: `{"amount": 1299, "currency": "EUR"}`."""
        return {"amount": self.amount_minor, "currency": self.currency}

    def _require_same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")


def require_currency(currency: str) -> None:
    """Refuse what is not an ISO 4217 currency in capitals. Raises UnknownCurrencyError."""
    if currency not in EXPONENTS:
        raise UnknownCurrencyError("this is not an ISO 4217 currency in capitals", currency=currency)


def currency_exponent(currency: str) -> int:
    """Return how many decimals `currency` has: 0, 2 or 3. Raises UnknownCurrencyError."""
    require_currency(currency)
    return EXPONENTS[currency]


def allocate(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Split `total_minor` in proportion to `weights` so that the parts sum to it exactly.

    Largest remainder (Hamilton): round every part down, then give the units left over to those that
    lost most by rounding, the earlier one first. No part is off by a whole unit or more.
    Raises ValueError unless `total_minor` and all weights are >= 0 and some weight is above 0.
    """
    weight_sum = sum(weights)
    if total_minor < 0 or weight_sum <= 0 or min(weights) < 0:
        raise ValueError("a split needs a total >= 0 and weights >= 0 that are not all 0")
    parts = [total_minor * weight // weight_sum for weight in weights]
    remainders = [total_minor * weight % weight_sum for weight in weights]
    by_loss = sorted(range(len(weights)), key=lambda position: -remainders[position])
    for position in by_loss[: total_minor - sum(parts)]:
        parts[position] += 1
    return parts
