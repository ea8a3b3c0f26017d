"""What each answer of a gateway means for each operation: tables, and what holds for all of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest

from payments import events
from payments.gateways.base import (
    Absent,
    ActionRequired,
    Answer,
    Authorize,
    Capture,
    Declined,
    InDoubt,
    NotSent,
    Refund,
    Request,
    Succeeded,
    Throttled,
    Void,
)
from payments.states import EDGES, OperationKind, OperationOutcome, PaymentStatus, Phase
from payments.steps.exchange import Answered, Exchange, Mode, NeverHappened
from payments.steps.interpret import AUTHENTICATION_LASTS, Meaning, interpret, voided
from payments.store import OperationChange, PaymentChange
from payments.tenders import LiveOperation, Tender
from resilience.saga import outcomes
from resilience.saga.outcomes import Done, Failed, Refused, Waiting

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
ORDER, PAYMENT, OPERATION, OTHER = (UUID(int=number) for number in range(1, 5))
AMOUNT = 1299

# The statuses in which each operation is asked for (payments/steps).
ASKED_IN = {
    OperationKind.AUTHORIZE: (PaymentStatus.PENDING, PaymentStatus.REQUIRES_ACTION),
    OperationKind.CAPTURE: (PaymentStatus.AUTHORIZED,),
    OperationKind.VOID: (PaymentStatus.REQUIRES_ACTION, PaymentStatus.AUTHORIZED),
    OperationKind.REFUND: (PaymentStatus.CAPTURED,),
}
SITUATIONS = [(kind, status) for kind, statuses in ASKED_IN.items() for status in statuses]
DECLINED = Declined("generic_decline", "no", "pi_1")
ALREADY_CAPTURED = Declined("already_captured", "The money was taken already.", "pi_1")
ANSWERS: list[Answer | Absent | NeverHappened] = [
    Succeeded("pi_1", AMOUNT),
    ActionRequired("pi_1", "https://bank.example/3ds"),
    DECLINED,
    ALREADY_CAPTURED,
    NotSent("refused"),
    Throttled(None),
    Throttled(7.0),
    InDoubt("reset"),
    InDoubt("HTTP 500", is_stored=True),
    Absent(),
    NeverHappened("no trace"),
]


def tender_in(status: PaymentStatus, **changes: object) -> Tender:
    """Return a tender as it is in `status`."""
    is_asked = status is not PaymentStatus.PENDING
    waits = status is PaymentStatus.REQUIRES_ACTION
    tender = Tender(
        id=PAYMENT,
        order_id=ORDER,
        method="pm_card_visa",
        amount_minor=AMOUNT,
        currency="EUR",
        status=status,
        captured_minor=AMOUNT if status is PaymentStatus.CAPTURED else 0,
        refunded_minor=0,
        gateway="one" if is_asked else "",
        reference="pi_1" if is_asked else "",
        action_url="https://bank.example/3ds" if waits else "",
        action_until=LATER if waits else None,
    )
    return replace(tender, **changes)


def live(kind: OperationKind, *, operation_id: UUID = OPERATION, amount_minor: int = AMOUNT) -> LiveOperation:
    return LiveOperation(
        operation_id, kind, "one", f"key-{operation_id.int}", amount_minor, Phase.SENT, NOW, NOW
    )


def meaning_of(
    answer: object, kind: OperationKind, tender: Tender, mode: Mode = Mode.SEND, *, amount_minor: int = AMOUNT
) -> Meaning:
    operation = live(kind, amount_minor=amount_minor)
    tender = replace(tender, live=(operation, *tender.live))
    requests: dict[OperationKind, Request] = {
        OperationKind.AUTHORIZE: Authorize(operation.key, ORDER, PAYMENT, AMOUNT, "EUR", tender.method),
        OperationKind.CAPTURE: Capture(operation.key, "pi_1", AMOUNT),
        OperationKind.VOID: Void(operation.key, "pi_1"),
        OperationKind.REFUND: Refund(operation.key, "pi_1", amount_minor),
    }
    exchange = Exchange(tender, operation, requests[kind], mode)
    return interpret(Answered(exchange, answer), now=NOW)  # type: ignore[arg-type]


def settled(
    outcome: OperationOutcome, *, operation_id: UUID = OPERATION, reference: str = "", error: str = ""
) -> OperationChange:
    return OperationChange(operation_id, Phase.SETTLED, outcome, reference, error)


def change(tender: Tender, status: PaymentStatus | None = None, **changes: object) -> PaymentChange:
    unchanged = PaymentChange(
        id=PAYMENT,
        expected=tender.status,
        status=status or tender.status,
        captured_minor=tender.captured_minor,
        refunded_minor=tender.refunded_minor,
        gateway=tender.gateway,
        reference=tender.reference,
    )
    return replace(unchanged, **changes)


PENDING, REQUIRES_ACTION, AUTHORIZED, CAPTURED = (
    tender_in(status)
    for status in (
        PaymentStatus.PENDING,
        PaymentStatus.REQUIRES_ACTION,
        PaymentStatus.AUTHORIZED,
        PaymentStatus.CAPTURED,
    )
)
MONEY = (PAYMENT, ORDER, AMOUNT, "EUR")


# --- What holds for every answer --------------------------------------------------------------


def everything():
    return pytest.mark.parametrize(
        ("situation", "mode", "answer"),
        list(product(SITUATIONS, Mode, ANSWERS)),
        ids=lambda part: part.name.lower() if isinstance(part, Mode) else None,
    )


@everything()
def test_a_status_moves_along_its_edges_only(situation, mode: Mode, answer: object):
    kind, status = situation

    payment = meaning_of(answer, kind, tender_in(status), mode).payment

    if payment:
        assert payment.expected is status
        assert payment.status is status or payment.status in EDGES[status]


@everything()
def test_amounts_stay_in_their_order(situation, mode: Mode, answer: object):
    kind, status = situation

    payment = meaning_of(answer, kind, tender_in(status), mode).payment

    if payment:
        assert 0 <= payment.refunded_minor <= payment.captured_minor <= AMOUNT
        assert payment.status is not PaymentStatus.CAPTURED or payment.captured_minor == AMOUNT


@everything()
def test_silence_is_never_a_no(situation, mode: Mode, answer: object):
    kind, status = situation
    is_silence = isinstance(answer, InDoubt | Absent) or (
        isinstance(answer, NotSent | Throttled) and mode is not Mode.SEND
    )

    meaning = meaning_of(answer, kind, tender_in(status), mode)

    if is_silence:
        assert isinstance(meaning.outcome, outcomes.InDoubt)
        assert [operation for operation in meaning.operations if operation.phase is Phase.SETTLED] == []
        assert meaning.payment is None or meaning.payment.status is status
        assert meaning.fact is None


@everything()
def test_an_operation_has_an_outcome_exactly_when_it_is_settled(situation, mode: Mode, answer: object):
    kind, status = situation

    meaning = meaning_of(answer, kind, tender_in(status), mode)

    for operation in meaning.operations:
        assert (operation.phase is Phase.SETTLED) is (operation.outcome is not None)
    assert len({operation.id for operation in meaning.operations}) == len(meaning.operations)


@everything()
def test_a_new_status_is_told_and_nothing_else_is(situation, mode: Mode, answer: object):
    kind, status = situation

    meaning = meaning_of(answer, kind, tender_in(status), mode)

    has_moved = meaning.payment is not None and meaning.payment.status is not status
    assert has_moved is (meaning.fact is not None)


# --- Yes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("tender", [PENDING, REQUIRES_ACTION], ids=["pending", "requires_action"])
def test_an_authorization_that_succeeded_reserves_the_money(tender: Tender, mode: Mode):
    meaning = meaning_of(Succeeded("pi_9", AMOUNT), OperationKind.AUTHORIZE, tender, mode)

    assert meaning == Meaning(
        Done(),
        (settled(OperationOutcome.SUCCEEDED, reference="pi_9"),),
        change(tender, PaymentStatus.AUTHORIZED, gateway="one", reference="pi_9"),
        events.PaymentAuthorized(*MONEY, "one", "pi_9"),
    )


@pytest.mark.parametrize("mode", Mode)
def test_a_capture_that_succeeded_takes_the_whole_amount(mode: Mode):
    meaning = meaning_of(Succeeded("pi_1", AMOUNT), OperationKind.CAPTURE, AUTHORIZED, mode)

    assert meaning == Meaning(
        Done(),
        (settled(OperationOutcome.SUCCEEDED, reference="pi_1"),),
        change(AUTHORIZED, PaymentStatus.CAPTURED, captured_minor=AMOUNT),
        events.PaymentCaptured(*MONEY, "one", "pi_1"),
    )


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("tender", [REQUIRES_ACTION, AUTHORIZED], ids=["requires_action", "authorized"])
def test_a_void_that_succeeded_ends_the_payment_and_what_else_was_asked(tender: Tender, mode: Mode):
    asked = replace(tender, live=(live(OperationKind.AUTHORIZE, operation_id=OTHER),))

    meaning = meaning_of(Succeeded("pi_1", AMOUNT), OperationKind.VOID, asked, mode)

    assert meaning == Meaning(
        Done(),
        (
            settled(OperationOutcome.SUCCEEDED, reference="pi_1"),
            settled(OperationOutcome.ABANDONED, operation_id=OTHER),
        ),
        change(tender, PaymentStatus.VOIDED),
        events.PaymentVoided(PAYMENT, ORDER),
    )


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("refunded_minor", "asked_minor", "status"),
    [
        (0, AMOUNT, PaymentStatus.REFUNDED),
        (0, 300, PaymentStatus.CAPTURED),
        (300, AMOUNT - 300, PaymentStatus.REFUNDED),
    ],
)
def test_a_refund_that_succeeded_adds_up(
    refunded_minor: int, asked_minor: int, status: PaymentStatus, mode: Mode
):
    tender = replace(CAPTURED, refunded_minor=refunded_minor)

    meaning = meaning_of(
        Succeeded("re_1", asked_minor), OperationKind.REFUND, tender, mode, amount_minor=asked_minor
    )

    assert meaning == Meaning(
        Done(),
        (settled(OperationOutcome.SUCCEEDED, reference="re_1"),),
        change(tender, status, refunded_minor=refunded_minor + asked_minor),
        events.PaymentRefunded(PAYMENT, ORDER, asked_minor, "EUR"),
    )


# --- No ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("tender", [PENDING, REQUIRES_ACTION], ids=["pending", "requires_action"])
def test_a_declined_authorization_ends_the_payment(tender: Tender, mode: Mode):
    meaning = meaning_of(DECLINED, OperationKind.AUTHORIZE, tender, mode)

    assert meaning == Meaning(
        Refused("generic_decline"),
        (settled(OperationOutcome.DECLINED, reference="pi_1", error="generic_decline: no"),),
        change(tender, PaymentStatus.DECLINED, decline_code="generic_decline"),
        events.PaymentDeclined(*MONEY, "generic_decline"),
    )


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("kind", "tender"),
    [
        (OperationKind.CAPTURE, AUTHORIZED),
        (OperationKind.VOID, AUTHORIZED),
        (OperationKind.VOID, REQUIRES_ACTION),
        (OperationKind.REFUND, CAPTURED),
    ],
)
def test_any_other_refusal_leaves_the_money_where_it_is(kind: OperationKind, tender: Tender, mode: Mode):
    meaning = meaning_of(DECLINED, kind, tender, mode)

    assert meaning == Meaning(
        Refused("generic_decline"),
        (settled(OperationOutcome.DECLINED, reference="pi_1", error="generic_decline: no"),),
        change(tender),
    )


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("tender", [REQUIRES_ACTION, AUTHORIZED], ids=["requires_action", "authorized"])
def test_what_was_captured_meanwhile_is_not_voided_but_known_as_captured(tender: Tender, mode: Mode):
    asked = replace(tender, live=(live(OperationKind.AUTHORIZE, operation_id=OTHER),))

    meaning = meaning_of(ALREADY_CAPTURED, OperationKind.VOID, asked, mode)

    assert meaning == Meaning(
        Failed("captured meanwhile, to be refunded", spends_attempt=False),
        (
            settled(
                OperationOutcome.DECLINED,
                reference="pi_1",
                error="already_captured: The money was taken already.",
            ),
            # Or the next attempt would ask after an authorization of money that is taken already.
            settled(OperationOutcome.SUCCEEDED, operation_id=OTHER),
        ),
        change(tender, PaymentStatus.CAPTURED, captured_minor=AMOUNT),
        events.PaymentCaptured(*MONEY, "one", "pi_1"),
    )


# --- Not at all --------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "status"), SITUATIONS)
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (NotSent("refused"), Failed("refused", spends_attempt=False)),
        (Throttled(None), Failed("throttled", spends_attempt=False)),
        (Throttled(7.0), Failed("throttled", retry_after_s=7.0, spends_attempt=False)),
    ],
)
def test_what_was_never_sent_may_be_sent_again(
    kind: OperationKind, status: PaymentStatus, answer: Answer, outcome: Failed
):
    meaning = meaning_of(answer, kind, tender_in(status), Mode.SEND)

    assert meaning == Meaning(outcome, (OperationChange(OPERATION, Phase.PREPARED, error=outcome.error),))


@pytest.mark.parametrize("mode", [Mode.ASK, Mode.LOOK])
@pytest.mark.parametrize(("kind", "status"), SITUATIONS)
def test_what_never_happened_gets_a_new_key(kind: OperationKind, status: PaymentStatus, mode: Mode):
    tender = tender_in(status)

    meaning = meaning_of(NeverHappened("no trace"), kind, tender, mode)

    assert meaning == Meaning(
        Failed("no trace"), (settled(OperationOutcome.ABANDONED, error="no trace"),), change(tender)
    )


def test_a_payment_that_never_left_is_voided_with_its_intents():
    tender = replace(PENDING, live=(live(OperationKind.AUTHORIZE),))

    assert voided(tender) == Meaning(
        Done(),
        (settled(OperationOutcome.ABANDONED),),
        change(tender, PaymentStatus.VOIDED),
        events.PaymentVoided(PAYMENT, ORDER),
    )


# --- Nobody knows ------------------------------------------------------------------------------

DOUBTS = [
    (InDoubt("reset"), Mode.SEND, outcomes.InDoubt("reset")),
    (InDoubt("reset"), Mode.ASK, outcomes.InDoubt("reset")),
    (InDoubt("HTTP 500", is_stored=True), Mode.ASK, outcomes.InDoubt("HTTP 500")),
    (NotSent("refused"), Mode.ASK, outcomes.InDoubt("refused")),
    (NotSent("refused"), Mode.LOOK, outcomes.InDoubt("refused")),
    (Throttled(None), Mode.LOOK, outcomes.InDoubt("throttled")),
    (Throttled(7.0), Mode.ASK, outcomes.InDoubt("throttled", retry_after_s=7.0)),
]


@pytest.mark.parametrize(("answer", "mode", "outcome"), DOUBTS)
@pytest.mark.parametrize(
    ("kind", "tender"),
    [
        (OperationKind.AUTHORIZE, PENDING),
        (OperationKind.CAPTURE, AUTHORIZED),
        (OperationKind.VOID, AUTHORIZED),
        (OperationKind.REFUND, CAPTURED),
    ],
)
def test_a_doubt_is_shown_on_the_payment_and_asked_after(
    kind: OperationKind, tender: Tender, answer: Answer, mode: Mode, outcome: outcomes.InDoubt
):
    may_have_happened_just_now = isinstance(answer, InDoubt) and not answer.is_stored
    sent_at = NOW if may_have_happened_just_now else None

    meaning = meaning_of(answer, kind, tender, mode)

    assert meaning == Meaning(
        outcome,
        (OperationChange(OPERATION, Phase.IN_DOUBT, error=outcome.error, sent_at=sent_at),),
        change(tender, is_in_doubt=True),
    )


@pytest.mark.parametrize(
    ("answer", "mode", "outcome"), [doubt for doubt in DOUBTS if doubt[1] is not Mode.SEND]
)
def test_a_payer_who_has_not_acted_leaves_no_doubt_about_money(
    answer: Answer, mode: Mode, outcome: outcomes.InDoubt
):
    assert meaning_of(answer, OperationKind.AUTHORIZE, REQUIRES_ACTION, mode) == Meaning(outcome)


@pytest.mark.parametrize(
    ("kind", "status"), [(kind, status) for kind, status in SITUATIONS if kind is not OperationKind.AUTHORIZE]
)
def test_only_an_authorization_waits_for_its_payer(kind: OperationKind, status: PaymentStatus):
    meaning = meaning_of(ActionRequired("pi_1", "https://bank.example"), kind, tender_in(status), Mode.ASK)

    assert meaning.outcome == outcomes.InDoubt(f"not an answer to {kind}: ActionRequired")


# --- The payer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", Mode)
def test_a_payer_who_has_to_act_gets_an_address_and_a_time(mode: Mode):
    answer = ActionRequired("pi_1", "https://bank.example/3ds")
    until = NOW + AUTHENTICATION_LASTS

    meaning = meaning_of(answer, OperationKind.AUTHORIZE, PENDING, mode)

    assert meaning == Meaning(
        Waiting("the payer has to act", until),
        (OperationChange(OPERATION, Phase.SENT, reference="pi_1"),),
        change(
            PENDING,
            PaymentStatus.REQUIRES_ACTION,
            gateway="one",
            reference="pi_1",
            action_url="https://bank.example/3ds",
            action_until=until,
        ),
        events.PaymentActionRequired(PAYMENT, ORDER, "https://bank.example/3ds"),
    )


def test_a_payer_who_still_has_time_is_waited_for():
    answer = ActionRequired("pi_1", "https://bank.example/3ds")

    meaning = meaning_of(answer, OperationKind.AUTHORIZE, REQUIRES_ACTION, Mode.LOOK)

    assert meaning == Meaning(Waiting("the payer has to act", LATER))


def test_a_payer_who_let_the_time_pass_is_waited_for_no_longer():
    tender = replace(REQUIRES_ACTION, action_until=NOW)

    meaning = meaning_of(ActionRequired("pi_1", ""), OperationKind.AUTHORIZE, tender, Mode.LOOK)

    assert meaning == Meaning(Refused("authentication_timeout"))


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (OperationKind.AUTHORIZE, PaymentStatus.PENDING),
        (OperationKind.CAPTURE, PaymentStatus.AUTHORIZED),
        (OperationKind.REFUND, PaymentStatus.CAPTURED),
    ],
)
def test_an_amount_that_nobody_asked_for_is_a_doubt_and_not_a_success(
    kind: OperationKind, status: PaymentStatus
):
    meaning = meaning_of(Succeeded("pi_1", AMOUNT + 1), kind, tender_in(status), Mode.SEND)

    assert isinstance(meaning.outcome, outcomes.InDoubt)
    assert meaning.payment is not None
    assert meaning.payment.status is status
    assert meaning.fact is None
