"""An order's total is split over its payments to the last minor unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.errors import NothingToPayError, PaymentsDoNotAddUpError, TotalTooLargeError
from orders.services.place_order import TOTAL_MINOR_MAX, PaymentDraft, split_total
from payments.public import TenderDraft

amounts = st.lists(st.integers(1, TOTAL_MINOR_MAX // 10), min_size=1, max_size=10)


@given(amounts, st.data())
def test_one_payment_without_amount_takes_the_rest(parts: list[int], data: st.DataObject):
    rest = data.draw(st.integers(0, len(parts) - 1))
    drafts = [PaymentDraft(f"pm_{i}", None if i == rest else part) for i, part in enumerate(parts)]

    tenders = split_total(sum(parts), drafts)

    assert tenders == [TenderDraft(f"pm_{i}", part) for i, part in enumerate(parts)]


@given(st.integers(1, TOTAL_MINOR_MAX), st.lists(st.none() | st.integers(1, 10**9), min_size=1, max_size=10))
def test_the_parts_are_positive_and_sum_to_the_total_or_are_refused(total: int, named: list[int | None]):
    drafts = [PaymentDraft(f"pm_{i}", amount) for i, amount in enumerate(named)]
    given_minor, rests = sum(amount or 0 for amount in named), named.count(None)
    adds_up = given_minor == total if rests == 0 else rests == 1 and given_minor < total

    if not adds_up:
        with pytest.raises(PaymentsDoNotAddUpError):
            split_total(total, drafts)
        return
    tenders = split_total(total, drafts)

    assert sum(tender.amount_minor for tender in tenders) == total
    assert all(tender.amount_minor > 0 for tender in tenders)
    assert [tender.method for tender in tenders] == [draft.method for draft in drafts]


@pytest.mark.parametrize(
    ("total", "named"),
    [
        (1000, [999]),
        (1000, [1001]),
        (1000, [400, 500]),
        (1000, [None, None]),
        (1000, [1000, None]),
        (1000, [1200, None]),
        (1000, []),
    ],
)
def test_amounts_that_leave_or_want_too_much_are_refused(total: int, named: list[int | None]):
    with pytest.raises(PaymentsDoNotAddUpError):
        split_total(total, [PaymentDraft("pm_card_visa", amount) for amount in named])


def test_an_order_for_nothing_cannot_be_paid():
    with pytest.raises(NothingToPayError):
        split_total(0, [PaymentDraft("pm_card_visa")])


def test_the_largest_total_can_be_paid_and_one_more_cannot():
    assert split_total(TOTAL_MINOR_MAX, [PaymentDraft("pm_card_visa")]) == [
        TenderDraft("pm_card_visa", TOTAL_MINOR_MAX)
    ]
    with pytest.raises(TotalTooLargeError):
        split_total(TOTAL_MINOR_MAX + 1, [PaymentDraft("pm_card_visa")])
