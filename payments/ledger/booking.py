"""A money fact as the ledger books it: entries that sum to zero."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payments.money import require_currency


@dataclass(frozen=True, slots=True)
class Entry:
    """One side: `amount_minor` of `currency`, debit above zero, credit below, never zero."""

    account: str
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Booking:
    """One money fact. `source` names it: the same source is booked once, whoever posts it and how often.

    `reverses_source`: the booking that this one takes back, entry by entry.
    Raises InvalidBookingError, and UnknownCurrencyError.
    """

    source: str
    kind: str
    gateway: str
    order_id: UUID | None
    payment_id: UUID | None
    occurred_at: datetime
    entries: tuple[Entry, ...]
    reverses_source: str | None = None

    def __post_init__(self) -> None:
        sums: Counter[str] = Counter()
        for entry in self.entries:
            require_currency(entry.currency)
            if type(entry.amount_minor) is not int or entry.amount_minor == 0:
                raise InvalidBookingError(f"{self.source}: an entry moves whole minor units, and some")
            sums[entry.currency] += entry.amount_minor
        # An entry moves something, so that a balanced booking has two of them at least.
        if not sums or any(sums.values()):
            raise InvalidBookingError(f"{self.source} does not balance: {dict(sums)}")


class InvalidBookingError(AssertionError):
    """A booking that is none: it does not balance, or contradicts another. A bug."""
