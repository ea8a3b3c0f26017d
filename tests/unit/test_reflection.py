"""Every type of notice against every status: what is known already, and what has to be looked at."""

from datetime import UTC, datetime

import pytest

from payments.gateways.notices import TYPES
from payments.notice_store import KnownPayment, OpenNotice
from payments.services.handle_notices import WAITS_AT_MOST, judge_notice
from payments.services.reflection import reflects
from payments.states import NoticeStatus, PaymentStatus
from resilience.ids import new_id

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AMOUNT = 1299
CAPTURED = (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED)


def payment(status: PaymentStatus, *, reference: str = "pi_1") -> KnownPayment:
    return KnownPayment(
        id=new_id(),
        order_id=new_id(),
        status=status,
        captured_minor=AMOUNT if status in CAPTURED else 0,
        refunded_minor=AMOUNT if status is PaymentStatus.REFUNDED else 0,
        reference=reference,
    )


def notice(
    type_: str, *, received_at: datetime = NOW, reference: str = "pi_1", **subject: object
) -> OpenNotice:
    return OpenNotice(new_id(), "main", type_, reference, subject, NoticeStatus.RECEIVED, received_at)


P = PaymentStatus
# For each type, the statuses that say as much.
REFLECTED: dict[str, set[PaymentStatus]] = {
    "payment_intent.created": set(P),
    "payment_intent.requires_action": set(P) - {P.PENDING},
    "payment_intent.processing": set(P) - {P.PENDING, P.REQUIRES_ACTION},
    "payment_intent.amount_capturable_updated": {P.AUTHORIZED, P.CAPTURED, P.VOIDED, P.REFUNDED},
    "payment_intent.payment_failed": set(P) - {P.PENDING, P.REQUIRES_ACTION, P.PROCESSING},
    "payment_intent.canceled": {P.DECLINED, P.VOIDED},
    "payment_intent.succeeded": {P.CAPTURED, P.REFUNDED},
    "charge.captured": {P.CAPTURED, P.REFUNDED},
    "charge.succeeded": {P.AUTHORIZED, P.CAPTURED, P.VOIDED, P.REFUNDED},
    "charge.expired": {P.DECLINED, P.VOIDED},
    "charge.dispute.created": set(),
    "charge.dispute.updated": set(),
    "charge.dispute.closed": set(),
    "refund.created": set(),
    "refund.updated": set(),
    "refund.failed": set(),
    "charge.a_type_of_next_year": set(),
}


@pytest.mark.parametrize("status", PaymentStatus)
@pytest.mark.parametrize("type_", REFLECTED)
def test_a_notice_is_reflected_by_what_has_come_as_far(type_: str, status: PaymentStatus):
    assert reflects(payment(status), notice(type_)) is (status in REFLECTED[type_])


def test_every_type_worth_a_delivery_is_judged():
    assert set(TYPES) - {"charge.refunded"} <= set(REFLECTED)


@pytest.mark.parametrize("status", PaymentStatus)
@pytest.mark.parametrize(
    "type_", ["payment_intent.succeeded", "charge.succeeded", "charge.captured", "refund.created"]
)
def test_money_of_a_charge_that_the_payment_does_not_know_is_never_reflected(
    type_: str, status: PaymentStatus
):
    assert not reflects(payment(status, reference="pi_2"), notice(type_))
    assert not reflects(payment(status, reference=""), notice(type_))


def test_the_end_of_another_charge_says_nothing_of_this_one():
    assert reflects(payment(P.AUTHORIZED, reference="pi_2"), notice("payment_intent.canceled"))
    assert not reflects(payment(P.PENDING, reference=""), notice("payment_intent.canceled"))


def test_a_charge_taken_at_once_is_reflected_by_a_capture_only():
    assert not reflects(payment(P.AUTHORIZED), notice("charge.succeeded", captured=True))
    assert reflects(payment(P.CAPTURED), notice("charge.succeeded", captured=True))


@pytest.mark.parametrize(
    ("refunded", "expected"),
    [(AMOUNT, True), (AMOUNT + 1, False), (None, False), ("1", False), (True, False)],
)
def test_a_refund_is_reflected_when_as_much_has_gone_back(refunded: object, expected: bool):
    told = notice("charge.refunded", amount_refunded=refunded, currency="eur")

    assert reflects(payment(P.REFUNDED), told) is expected


@pytest.mark.parametrize(("units", "expected"), [(12, True), (13, False), (1299, False)])
def test_a_refund_is_compared_in_our_units(units: int, expected: bool):
    """Stripe counts whole ariary, we count their hundredths."""
    told = notice("charge.refunded", amount_refunded=units, currency="mga")

    assert reflects(payment(P.REFUNDED), told) is expected


@pytest.mark.parametrize("currency", [None, 7])
def test_a_refund_in_no_currency_is_not_reflected(currency: object):
    told = notice("charge.refunded", amount_refunded=AMOUNT, currency=currency)

    assert not reflects(payment(P.REFUNDED), told)


@pytest.mark.parametrize(
    "type_", ["customer.created", "payout.paid", "a.type.of.tomorrow", "payment_intents"]
)
def test_what_is_about_no_charge_is_ignored(type_: str):
    change = judge_notice(notice(type_), None, now=NOW)

    assert (change.status, change.payment_id) == (NoticeStatus.IGNORED, None)
    assert change.detail == "events of this type are about no charge of ours"


def test_a_notice_waits_three_days_for_its_payment_and_then_is_nobodys():
    waiting = judge_notice(notice("charge.captured", received_at=NOW - WAITS_AT_MOST), None, now=NOW)
    late = notice("charge.captured", received_at=NOW - WAITS_AT_MOST * 1.001)

    assert (waiting.status, waiting.detail) == (
        NoticeStatus.WAITING,
        "no payment is known under this reference",
    )
    ignored = judge_notice(late, None, now=NOW)
    assert (ignored.status, ignored.detail) == (NoticeStatus.IGNORED, "nobody's for three days")


def test_a_notice_of_a_known_payment_is_applied_however_late():
    known = payment(P.CAPTURED)

    change = judge_notice(notice("charge.captured", received_at=NOW - WAITS_AT_MOST * 9), known, now=NOW)

    assert (change.status, change.payment_id) == (NoticeStatus.APPLIED, known.id)
