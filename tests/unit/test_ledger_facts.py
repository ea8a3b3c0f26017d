"""What each fact books, to the account and the sign, and what no booking can be."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.ledger import facts
from payments.ledger.booking import Booking, Entry, InvalidBookingError
from payments.money import AMOUNT_MINOR_MAX, EXPONENTS, UnknownCurrencyError
from resilience.ids import new_id
from tests.ledger_kit import CLEARING, GATEWAY, NOW, Sale

ID = new_id()
AMOUNTS = st.integers(min_value=1, max_value=AMOUNT_MINOR_MAX)

FACTS = {
    "captured": ("capture", "payment_id", CLEARING, "receivable"),
    "refunded": ("refund", "refund_id", "refunds", CLEARING),
    "refund_failed": ("refund_failed", "refund_id", CLEARING, "refunds"),
    "fee": (f"fee:{GATEWAY}", "line_id", "fees", CLEARING),
    "dispute_opened": ("dispute_opened", "dispute_id", "disputes", CLEARING),
    "dispute_won": ("dispute_won", "dispute_id", CLEARING, "disputes"),
    "dispute_lost": ("dispute_lost", "dispute_id", "dispute_losses", "disputes"),
}


def book(kind: str, **changes: Any) -> Booking:
    subject = {
        "payment_id": ID,
        "order_id": ID,
        "gateway": GATEWAY,
        "amount_minor": 1299,
        "currency": "EUR",
        "occurred_at": NOW,
        FACTS[kind][1]: ID,
    }
    booking: Booking = getattr(facts, kind)(**{**subject, **changes})
    return booking


@pytest.mark.parametrize("kind", FACTS)
def test_a_fact_books_a_debit_and_a_credit(kind: str) -> None:
    prefix, _id, debit, credit = FACTS[kind]

    assert book(kind) == Booking(
        source=f"{prefix}:{ID}",
        kind=kind,
        gateway=GATEWAY,
        order_id=ID,
        payment_id=ID,
        occurred_at=NOW,
        entries=(Entry(debit, "EUR", 1299), Entry(credit, "EUR", -1299)),
        reverses_source=f"refund:{ID}" if kind == "refund_failed" else None,
    )


@pytest.mark.parametrize("kind", FACTS)
@pytest.mark.parametrize("amount", [0, -1, 1.0, True, "1", None])
def test_a_fact_moves_a_positive_whole_amount(kind: str, amount: object) -> None:
    with pytest.raises(InvalidBookingError):
        book(kind, amount_minor=amount)


@pytest.mark.parametrize("kind", FACTS)
def test_a_fact_is_in_a_currency(kind: str) -> None:
    with pytest.raises(UnknownCurrencyError):
        book(kind, currency="eur")


@given(amount=AMOUNTS, currency=st.sampled_from(sorted(EXPONENTS)), kind=st.sampled_from(sorted(FACTS)))
def test_every_fact_balances(amount: int, currency: str, kind: str) -> None:
    booking = book(kind, amount_minor=amount, currency=currency)

    assert sum(entry.amount_minor for entry in booking.entries) == 0
    assert {entry.currency for entry in booking.entries} == {currency}


@given(amount=AMOUNTS)
def test_a_refund_that_failed_mirrors_the_refund(amount: int) -> None:
    sale = Sale()
    refund, reversal = sale.refunded(ID, amount), sale.refund_failed(ID, amount)

    assert reversal.reverses_source == refund.source
    assert Counter((entry.account, -entry.amount_minor) for entry in refund.entries) == Counter(
        (entry.account, entry.amount_minor) for entry in reversal.entries
    )


@given(st.lists(st.tuples(st.sampled_from(["EUR", "USD"]), st.integers(-5, 5)), max_size=6))
def test_a_booking_exists_exactly_when_it_balances(sides: list[tuple[str, int]]) -> None:
    sums = Counter()
    for currency, minor in sides:
        sums[currency] += minor
    balanced = bool(sides) and not any(sums.values()) and all(minor for _currency, minor in sides)
    entries = tuple(Entry("x", currency, minor) for currency, minor in sides)

    if balanced:
        assert replace(Sale().captured(), entries=entries).entries == entries
    else:
        with pytest.raises(InvalidBookingError):
            replace(Sale().captured(), entries=entries)
