"""What a gateway's answer to a refund means: what is reserved for it goes back once, or stays."""

from dataclasses import replace
from datetime import timedelta

import pytest

from payments import events
from payments.gateways.base import (
    ActionRequired,
    ActionType,
    Answer,
    Declined,
    InDoubt,
    NotSent,
    Processing,
    Succeeded,
    Throttled,
)
from payments.states import OperationKind, OperationOutcome, PaymentStatus, Phase, RefundStatus
from payments.steps.exchange import Mode, NeverHappened
from payments.steps.interpret_refund import REFUND_LOOKS, REFUND_POLL_S_MAX
from payments.steps.meaning import Meaning
from payments.store import OperationChange, RefundChange
from payments.tenders import Tender
from resilience.saga import outcomes
from resilience.saga.outcomes import Done, Failed, Refused, Waiting
from tests.unit.situations import (
    AMOUNT,
    CAPTURED,
    DECLINED,
    NOW,
    OPERATION,
    ORDER,
    PAYMENT,
    REFUND,
    change,
    meaning_of,
    settled,
    turned_away,
)

PART = 300


def of_refund(answer: object, mode: Mode, tender: Tender = CAPTURED, *, amount_minor: int = PART) -> Meaning:
    return meaning_of(answer, OperationKind.REFUND, tender, mode, amount_minor=amount_minor)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("amount_minor", [1, PART, AMOUNT])
@pytest.mark.parametrize("refunded_minor", [0, 1])
def test_a_refund_that_was_made_moves_its_amount_from_reserved_to_refunded(
    refunded_minor: int, amount_minor: int, mode: Mode
):
    # The amounts before do not matter: they may have moved since they were read.
    tender = replace(CAPTURED, refunded_minor=refunded_minor)

    meaning = of_refund(Succeeded("re_1", amount_minor), mode, tender, amount_minor=amount_minor)

    assert meaning == Meaning(
        Done(),
        (settled(OperationOutcome.SUCCEEDED, reference="re_1"),),
        # That all of it is given back by now, only the writer's SQL can tell.
        change(tender, PaymentStatus.CAPTURED, refunded_delta=amount_minor, reserved_delta=-amount_minor),
        RefundChange(REFUND, RefundStatus.PENDING, RefundStatus.SUCCEEDED, "re_1"),
        events.PaymentRefunded(PAYMENT, ORDER, amount_minor, "EUR", "one", REFUND),
    )


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("declined", [DECLINED, Declined("charge_disputed", "charged back", "")])
def test_a_refund_that_was_refused_gives_its_reservation_back(declined: Declined, mode: Mode):
    assert of_refund(declined, mode) == Meaning(
        Refused(declined.code),
        (
            settled(
                OperationOutcome.DECLINED,
                reference=declined.reference,
                error=f"{declined.code}: {declined.message}",
            ),
        ),
        change(CAPTURED, reserved_delta=-PART),
        RefundChange(
            REFUND, RefundStatus.PENDING, RefundStatus.FAILED, declined.reference, failure_code=declined.code
        ),
        events.PaymentRefundFailed(
            PAYMENT, ORDER, PART, "EUR", "one", REFUND, declined.code, came_back=False
        ),
    )


@pytest.mark.parametrize("mode", Mode)
def test_a_refund_that_is_on_its_way_is_waited_for(mode: Mode):
    assert of_refund(Processing("re_1"), mode) == Meaning(
        Waiting("the gateway works on it", NOW + REFUND_LOOKS, REFUND_POLL_S_MAX),
        (OperationChange(OPERATION, Phase.SENT, reference="re_1"),),
        change(CAPTURED),
    )


def test_a_refund_is_looked_at_every_few_minutes_for_a_day():
    assert timedelta(days=1) == REFUND_LOOKS
    assert REFUND_POLL_S_MAX == 300.0


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("shown_minor", [PART - 1, PART + 1, 0])
def test_another_amount_than_was_asked_for_is_a_doubt(shown_minor: int, mode: Mode):
    error = f"the gateway says {shown_minor}, not {PART}"

    assert of_refund(Succeeded("re_1", shown_minor), mode) == Meaning(
        outcomes.InDoubt(error),
        (OperationChange(OPERATION, Phase.IN_DOUBT, error=error),),
        change(CAPTURED, is_in_doubt=True),
    )


@pytest.mark.parametrize(
    ("answer", "mode", "outcome", "phase"),
    [
        (NotSent("refused"), Mode.SEND, Failed("refused", spends_attempt=False), Phase.PREPARED),
        (Throttled(7.0), Mode.SEND, turned_away(7.0), Phase.PREPARED),
        (NotSent("refused"), Mode.ASK, outcomes.InDoubt("refused"), Phase.IN_DOUBT),
        (InDoubt("reset"), Mode.SEND, outcomes.InDoubt("reset"), Phase.IN_DOUBT),
        (InDoubt("HTTP 500", is_stored=True), Mode.ASK, outcomes.InDoubt("HTTP 500"), Phase.IN_DOUBT),
        (
            NeverHappened("no trace"),
            Mode.ASK,
            Failed("no trace", spends_attempt=False, made_progress=True),
            Phase.SETTLED,
        ),
        (
            ActionRequired("pi_1", "https://bank.example", type=ActionType.VOUCHER),
            Mode.ASK,
            outcomes.InDoubt("not an answer to refund: ActionRequired"),
            Phase.IN_DOUBT,
        ),
    ],
)
def test_whatever_is_no_end_keeps_the_amount_reserved(
    answer: Answer, mode: Mode, outcome: outcomes.Outcome, phase: Phase
):
    meaning = of_refund(answer, mode)

    assert meaning.outcome == outcome
    assert [operation.phase for operation in meaning.operations] == [phase]
    assert meaning.payment is None or (meaning.payment.refunded_delta, meaning.payment.reserved_delta) == (
        0,
        0,
    )
    assert meaning.refund is None
    assert meaning.fact is None
