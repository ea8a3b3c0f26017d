"""When a payment goes to another account: only on proof that the one before did nothing.

The danger: a payment sent to a second account while the first one's answer is not known is paid twice.
"""

from dataclasses import replace

import pytest

from payments import events
from payments.gateways.base import Answer, Declined, InDoubt, NotSent, Throttled
from payments.states import OperationKind, OperationOutcome, PaymentStatus, Phase
from payments.steps.exchange import Mode, NeverHappened
from payments.steps.meaning import Meaning
from payments.store import OperationChange
from resilience.saga import outcomes
from resilience.saga.outcomes import Failed, Refused
from tests.unit.situations import (
    MONEY,
    OPERATION,
    PENDING,
    PROCESSING,
    REQUIRES_ACTION,
    change,
    meaning_of,
    settled,
    turned_away,
)

SOFT, HARD = Declined("processing_error", "try again"), Declined("lost_card", "no")
FAILS_OVER_ON = frozenset({"processing_error"})


def of_authorization(answer: object, tender=PENDING, mode: Mode = Mode.SEND, *, fallback: str = "two"):
    return meaning_of(
        answer,
        OperationKind.AUTHORIZE,
        tender,
        mode,
        fallback=fallback,
        fails_over_on=FAILS_OVER_ON if fallback else frozenset(),
    )


def test_an_account_that_was_provably_not_reached_is_left_for_the_next():
    assert of_authorization(NotSent("refused")) == Meaning(
        Failed("one: refused; next is two", spends_attempt=False),
        (settled(OperationOutcome.ABANDONED, error="refused"),),
        change(PENDING, gateway="two"),
    )


@pytest.mark.parametrize("mode", Mode)
def test_an_account_that_softly_declined_is_left_for_the_next(mode: Mode):
    assert of_authorization(SOFT, mode=mode) == Meaning(
        Failed("one: processing_error: try again; next is two", spends_attempt=False),
        (settled(OperationOutcome.DECLINED, error="processing_error: try again"),),
        change(PENDING, gateway="two"),
    )


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("declined", "fallback"), [(HARD, "two"), (SOFT, ""), (HARD, "")], ids=["hard", "last", "hard and last"]
)
def test_a_refusal_that_stands_ends_the_payment(declined: Declined, fallback: str, mode: Mode):
    assert of_authorization(declined, mode=mode, fallback=fallback) == Meaning(
        Refused(declined.code),
        (settled(OperationOutcome.DECLINED, error=f"{declined.code}: {declined.message}"),),
        change(PENDING, PaymentStatus.DECLINED, gateway="one", decline_code=declined.code),
        fact=events.PaymentDeclined(*MONEY, declined.code),
    )


@pytest.mark.parametrize(
    ("answer", "mode", "error"),
    [
        (InDoubt("reset"), Mode.SEND, "reset"),
        (InDoubt("reset"), Mode.ASK, "reset"),
        (InDoubt("HTTP 500", is_stored=True), Mode.ASK, "HTTP 500"),
        (NotSent("refused"), Mode.ASK, "refused"),
        (NotSent("refused"), Mode.LOOK, "refused"),
        (Throttled(None), Mode.ASK, "throttled"),
    ],
)
def test_a_doubt_stays_where_it_is(answer: Answer, mode: Mode, error: str):
    meaning = of_authorization(answer, mode=mode)

    assert meaning.outcome == outcomes.InDoubt(error)
    assert [operation.phase for operation in meaning.operations] == [Phase.IN_DOUBT]
    assert meaning.payment == change(PENDING, is_in_doubt=True)


def test_an_account_that_turned_us_away_unread_is_asked_again_itself():
    assert of_authorization(Throttled(7.0)) == Meaning(
        turned_away(7.0),
        (OperationChange(OPERATION, Phase.PREPARED, error="throttled"),),
    )


def test_what_never_happened_begins_anew_where_it_was():
    assert of_authorization(NeverHappened("no trace"), mode=Mode.ASK) == Meaning(
        Failed("no trace", spends_attempt=False, made_progress=True),
        (settled(OperationOutcome.ABANDONED, error="no trace"),),
        change(PENDING),
    )


@pytest.mark.parametrize("tender", [REQUIRES_ACTION, PROCESSING], ids=lambda tender: tender.status)
@pytest.mark.parametrize("answer", [NotSent("refused"), SOFT])
def test_a_payment_that_was_taken_up_goes_nowhere_else(tender, answer: Answer):
    payment = of_authorization(answer, tender).payment

    assert payment is None or payment.gateway == "one"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (OperationKind.CAPTURE, PaymentStatus.AUTHORIZED),
        (OperationKind.VOID, PaymentStatus.AUTHORIZED),
        (OperationKind.REFUND, PaymentStatus.CAPTURED),
    ],
)
def test_only_an_authorization_can_be_asked_for_elsewhere(kind: OperationKind, status: PaymentStatus):
    captured_minor = PENDING.amount_minor if status is PaymentStatus.CAPTURED else 0
    tender = replace(
        PENDING,
        status=status,
        gateway="one",
        captured_minor=captured_minor,
        refund_reserved_minor=captured_minor,
    )

    for answer in (NotSent("refused"), SOFT):
        payment = meaning_of(answer, kind, tender, fallback="two", fails_over_on=FAILS_OVER_ON).payment
        assert payment is None or payment.gateway == "one"
