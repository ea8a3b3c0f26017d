"""What a line of a gateway's list means beside our books, and what is left of it after a look."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from payments.gateways.base import ChargeState, LineKind, Observation, SeenDispute, SeenRefund, StatementLine
from payments.reconciliation.books import Unmentioned
from payments.reconciliation.concluding import LIST_LAGS_MAX, conclude, conclude_missing
from payments.reconciliation.looking import Looked
from payments.reconciliation.matching import (
    Books,
    Differs,
    Matched,
    NeedsLook,
    OurCharge,
    OurDispute,
    OurRefund,
    UnderWay,
    judge,
)
from payments.reconciliation.tally import Share, Tally, percent, shares_of
from payments.states import DisputeStatus, ExceptionKind, RefundStatus
from payments.steps.facts import Contradiction
from payments.store import Difference

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAYMENT, ORDER, REFUND, DISPUTE = (UUID(int=number) for number in range(1, 5))
CHARGE = OurCharge(PAYMENT, ORDER, "pi_1", 1000, "EUR", 1000, is_under_way=False)
OUR_REFUND = OurRefund(REFUND, PAYMENT, "re_1", 300, RefundStatus.SUCCEEDED)
OUR_DISPUTE = OurDispute(DISPUTE, PAYMENT, "dp_1", 1000, "EUR", DisputeStatus.OPEN)
SEEN = Observation("pi_1", ChargeState.CAPTURED, 1000, 1000, "EUR", PAYMENT, "key")
OURS = Unmentioned(PAYMENT, PAYMENT, ORDER, "pi_1", "pi_1", 1000, "EUR", AT, False)


def books(charge=CHARGE, refund=None, dispute=None, **fees):
    return Books(
        "acct",
        {"pi_1": charge} if charge else {},
        {"re_1": refund} if refund else {},
        {"dp_1": dispute} if dispute else {},
        fees,
    )


def line(kind=LineKind.CHARGE, amount_minor=1000, **changes):
    sources = {
        LineKind.CHARGE: "ch_1",
        LineKind.REFUND: "re_1",
        LineKind.REFUND_FAILED: "re_1",
        LineKind.DISPUTE: "dp_1",
        LineKind.DISPUTE_WON: "dp_1",
    }
    given = StatementLine("txn_1", kind, amount_minor, 0, "EUR", sources.get(kind, ""), "pi_1", AT)
    return replace(given, **changes)


def named(verdict):
    difference = verdict.otherwise if isinstance(verdict, NeedsLook) else verdict.difference
    return difference.kind.value, difference.reference, difference.ours, difference.theirs


def in_state(**changes):
    return books(replace(CHARGE, **changes))


def with_refund(status, **changes):
    return books(refund=replace(OUR_REFUND, status=status, **changes))


def with_dispute(status, **changes):
    return books(dispute=replace(OUR_DISPUTE, status=status, **changes))


MATCHES = [
    (line(), books(), f"capture:{PAYMENT}"),
    (line(), in_state(is_under_way=True), f"capture:{PAYMENT}"),
    (line(LineKind.REFUND, -300), with_refund(RefundStatus.SUCCEEDED), f"refund:{REFUND}"),
    (line(LineKind.REFUND_FAILED, 300), with_refund(RefundStatus.FAILED), f"refund_failed:{REFUND}"),
    *[
        (line(LineKind.DISPUTE, -1000), with_dispute(status), f"dispute_opened:{DISPUTE}")
        for status in DisputeStatus
    ],
    (line(LineKind.DISPUTE_WON), with_dispute(DisputeStatus.WON), f"dispute_won:{DISPUTE}"),
    (line(LineKind.OTHER, 0), books(), ""),
]


@pytest.mark.parametrize(("movement", "ours", "fact"), MATCHES)
def test_a_line_that_says_what_we_say_is_matched(movement, ours, fact):
    verdict = judge(movement, ours)

    assert isinstance(verdict, Matched)
    assert (verdict.fact, verdict.fee_minor) == (fact, 0)


DIFFERENCES = [
    (line(amount_minor=999), books(), ("amount_differs", "pi_1", "1000", "999")),
    (line(currency="USD"), books(), ("currency_differs", "pi_1", "EUR", "USD")),
    (line(LineKind.REFUND, -301), with_refund(RefundStatus.SUCCEEDED),
     ("refund_amount_differs", "re_1", "-300 EUR", "-301 EUR")),
    (line(LineKind.REFUND_FAILED, 301), with_refund(RefundStatus.FAILED),
     ("refund_amount_differs", "re_1", "300 EUR", "301 EUR")),
    (line(LineKind.DISPUTE, -1), with_dispute(DisputeStatus.OPEN),
     ("amount_differs", "dp_1", "-1000 EUR", "-1 EUR")),
    (line(LineKind.OTHER, -1), books(), ("unknown_line", "txn_1", "", "-1 EUR")),
    (line(LineKind.OTHER, 0, fee_minor=1), books(), ("unknown_line", "txn_1", "", "0 EUR")),
    (line(reference=""), books(), ("unknown_charge", "txn_1", "", "1000 EUR")),
    (line(fee_minor=5), books(txn_1=4), ("fee_differs", "txn_1", "4 EUR", "5 EUR")),
    (line(fee_minor=-5), books(), ("fee_differs", "txn_1", "0 EUR", "-5 EUR")),
]  # fmt: skip


@pytest.mark.parametrize(("movement", "ours", "expected"), DIFFERENCES)
def test_what_no_look_can_explain_differs_at_once(movement, ours, expected):
    verdict = judge(movement, ours)

    assert isinstance(verdict, Differs)
    assert named(verdict) == expected
    assert verdict.difference.occurred_at == AT


LOOKS = [
    (line(), books(charge=None), ("unknown_charge", "pi_1", "", "1000 EUR")),
    (line(), in_state(captured_minor=0), ("unknown_charge", "pi_1", "0 EUR", "1000 EUR")),
    (line(LineKind.REFUND, -300), books(), ("unknown_refund", "re_1", "", "-300 EUR")),
    (line(LineKind.REFUND, -300), with_refund(RefundStatus.FAILED),
     ("status_differs", "re_1", "failed", "-300 EUR")),
    (line(LineKind.REFUND_FAILED, 300), with_refund(RefundStatus.SUCCEEDED),
     ("status_differs", "re_1", "succeeded", "failed")),
    (line(LineKind.REFUND_FAILED, 300), books(), ("status_differs", "re_1", "", "failed")),
    (line(LineKind.DISPUTE, -1000), books(), ("unknown_dispute", "dp_1", "", "-1000 EUR")),
    (line(LineKind.DISPUTE_WON), with_dispute(DisputeStatus.OPEN), ("status_differs", "dp_1", "open", "won")),
    (line(LineKind.DISPUTE_WON), with_dispute(DisputeStatus.LOST), ("status_differs", "dp_1", "lost", "won")),
]  # fmt: skip


@pytest.mark.parametrize(("movement", "ours", "expected"), LOOKS)
def test_what_a_look_may_explain_is_looked_at_first(movement, ours, expected):
    verdict = judge(movement, ours)

    assert isinstance(verdict, NeedsLook)
    assert (verdict.reference, named(verdict)) == ("pi_1", expected)


@pytest.mark.parametrize(
    ("movement", "ours"),
    [
        (line(), in_state(is_under_way=True, captured_minor=0)),
        (line(amount_minor=999), in_state(is_under_way=True)),
        (line(LineKind.REFUND, -300), in_state(is_under_way=True)),
        (line(LineKind.REFUND, -300), with_refund(RefundStatus.PENDING)),
        (line(LineKind.REFUND_FAILED, 300), in_state(is_under_way=True)),
        (line(LineKind.DISPUTE, -1000), in_state(is_under_way=True)),
    ],
)
def test_what_is_under_way_is_not_judged(movement, ours):
    assert isinstance(judge(movement, ours), UnderWay)


def test_a_fee_is_booked_when_it_is_new():
    assert judge(line(fee_minor=5), books()).fee_minor == 5
    assert judge(line(fee_minor=5), books(txn_1=5)).fee_minor == 0


def test_a_look_that_meets_our_own_operations_judges_nothing():
    verdict = judge(line(), books(charge=None))

    assert conclude(line(), verdict, Looked(SEEN, unsettled="asking")) == UnderWay("asking")


def test_a_difference_takes_the_name_of_the_payment_that_the_charge_names():
    contradiction = Contradiction(ExceptionKind.UNKNOWN_CHARGE, "pi_1", "pi_0", "pi_1")
    looked = Looked(SEEN, contradiction=contradiction, payment_id=PAYMENT, order_id=ORDER)

    found = conclude(line(), judge(line(), books(charge=None)), looked)

    assert found == Differs(
        Difference("acct", ExceptionKind.UNKNOWN_CHARGE, "pi_1", "pi_0", "pi_1", PAYMENT, ORDER, AT)
    )


@pytest.mark.parametrize(("status", "is_explained"), [("failed", True), ("succeeded", False)])
def test_a_refund_that_came_and_went_undoes_itself(status, is_explained):
    movement = line(LineKind.REFUND, -300)
    seen = replace(SEEN, refunds=(SeenRefund("re_1", "", 300, status, AT),))

    verdict = conclude(movement, judge(movement, books()), Looked(seen))

    assert isinstance(verdict, Matched) is is_explained


def test_a_look_that_brought_nothing_says_why():
    verdict = conclude(line(), judge(line(), books(charge=None)), Looked(trouble="timeout"))

    assert verdict.difference.theirs == "1000 EUR timeout"


@pytest.mark.parametrize(
    ("kind", "ours", "seen"),
    [
        ("capture", OURS, SEEN),
        ("refund", replace(OURS, reference="re_1", amount_minor=300),
         replace(SEEN, refunds=(SeenRefund("re_1", "", 300, "succeeded", AT),))),
        ("dispute", replace(OURS, reference="dp_1"),
         replace(SEEN, disputes=(SeenDispute("dp_1", 1000, "EUR", "x", DisputeStatus.OPEN, AT),))),
    ],
)  # fmt: skip
def test_what_the_gateway_shows_may_be_ahead_of_its_list_for_a_while(kind, ours, seen):
    def at(age, *, is_whole_list=True, shown=seen):
        looked = Looked(shown)
        options = {"gateway": "acct", "is_whole_list": is_whole_list, "now": AT + age}
        return conclude_missing(ours, kind, looked, **options)

    late = LIST_LAGS_MAX + timedelta(seconds=1)
    assert isinstance(at(LIST_LAGS_MAX), UnderWay)
    assert isinstance(at(late, is_whole_list=False), UnderWay)
    assert at(late).difference.theirs == "shown, but not in the list"
    assert at(timedelta(), shown=None).difference.kind.value.startswith("missing_")
    assert at(timedelta(), shown=None).difference.reference == ours.reference


def test_all_is_said_of_all_only():
    tally = Tally()
    for _number in range(99_999):
        tally.add("EUR", -1, explained=True)
    tally.add("EUR", 1, explained=False)
    tally.add("USD", 5, explained=True)

    shares = shares_of(tally.as_columns()["summary"])

    assert shares["EUR"] == Share(100_000, 99_999, 100_000, 99_999)
    assert (percent(shares["EUR"].explained_bp), percent(shares["USD"].explained_amount_bp)) == (
        "99.99", "100.00"
    )  # fmt: skip
    assert percent(Share().explained_bp) == "100.00"
