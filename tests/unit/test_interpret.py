"""What each answer of a gateway means for each operation: tables, and what holds for all of them.

Refunds have their own: test_interpret_refund.py. Going to another account: test_interpret_failover.py.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from payments import events
from payments.gateways.base import (
    Absent,
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
from payments.states import EDGES, OperationKind, OperationOutcome, PaymentStatus, Phase
from payments.steps.exchange import Mode, NeverHappened
from payments.steps.interpret import (
    AUTHENTICATION_LASTS,
    CLEARING_LASTS,
    DELAYED_POLL_S_MAX,
    PROCESSING_LASTS,
    SLIP_LASTS,
    voided,
)
from payments.steps.meaning import Meaning
from payments.store import OperationChange
from payments.tenders import Tender
from resilience.saga import outcomes
from resilience.saga.outcomes import Done, Failed, Refused, Waiting
from tests.unit.situations import (
    AMOUNT,
    AUTHORIZED,
    CAPTURED,
    DECLINED,
    LATER,
    MONEY,
    NOW,
    OPERATION,
    ORDER,
    OTHER,
    PAYMENT,
    PENDING,
    PROCESSING,
    REFUND,
    REQUIRES_ACTION,
    SITUATIONS,
    change,
    live,
    meaning_of,
    settled,
    tender_in,
    turned_away,
)

OPEN = [PENDING, REQUIRES_ACTION, PROCESSING]
HELD = [REQUIRES_ACTION, PROCESSING, AUTHORIZED]
ALREADY_CAPTURED = Declined("already_captured", "The money was taken already.", "pi_1")
SLIP_URL = "https://bank.example/slip"
SLIP_UNTIL = NOW + timedelta(days=2)
ANSWERS: list[Answer | Absent | NeverHappened] = [
    Succeeded("pi_1", AMOUNT),
    Succeeded("pi_1", AMOUNT, is_captured=True),
    Succeeded("pi_1", AMOUNT, capture_before=NOW + timedelta(days=7)),
    Succeeded("pi_1", AMOUNT - 1),
    ActionRequired("pi_1", "https://bank.example/3ds"),
    ActionRequired("pi_1", SLIP_URL, type=ActionType.VOUCHER, until=SLIP_UNTIL),
    Processing("pi_1"),
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
FALLBACKS: list[dict[str, object]] = [
    {},
    {"fallback": "two"},
    {"fallback": "two", "fails_over_on": frozenset({"generic_decline"})},
]


# --- What holds for every answer --------------------------------------------------------------


def everything():
    return pytest.mark.parametrize(
        ("situation", "mode", "answer", "elsewhere"),
        list(product(SITUATIONS, Mode, ANSWERS, FALLBACKS)),
        ids=lambda part: part.name.lower() if isinstance(part, Mode) else None,
    )


@everything()
def test_a_status_moves_along_its_edges_only(situation, mode: Mode, answer: object, elsewhere):
    kind, status = situation

    payment = meaning_of(answer, kind, tender_in(status), mode, **elsewhere).payment

    if payment:
        assert payment.expected is status
        assert payment.status is status or payment.status in EDGES[status]
        assert not payment.is_late


@everything()
def test_amounts_stay_in_their_order(situation, mode: Mode, answer: object, elsewhere):
    kind, status = situation
    tender = tender_in(status)

    payment = meaning_of(answer, kind, tender, mode, **elsewhere).payment

    if payment:
        reserved_minor = tender.refund_reserved_minor + payment.reserved_delta
        assert reserved_minor >= 0
        assert payment.refunded_delta >= 0
        assert reserved_minor + payment.refunded_delta <= payment.captured_minor <= AMOUNT
        assert payment.status is not PaymentStatus.CAPTURED or payment.captured_minor == AMOUNT


@everything()
def test_silence_is_never_a_no(situation, mode: Mode, answer: object, elsewhere):
    kind, status = situation
    tender = tender_in(status)
    is_silence = isinstance(answer, InDoubt | Absent) or (
        isinstance(answer, NotSent | Throttled) and mode is not Mode.SEND
    )

    meaning = meaning_of(answer, kind, tender, mode, **elsewhere)

    if is_silence:
        assert isinstance(meaning.outcome, outcomes.InDoubt)
        assert [operation for operation in meaning.operations if operation.phase is Phase.SETTLED] == []
        assert meaning.payment is None or meaning.payment.status is status
        assert meaning.payment is None or meaning.payment.gateway == tender.gateway
        assert meaning.refund is None
        assert meaning.fact is None


@everything()
def test_an_operation_has_an_outcome_exactly_when_it_is_settled(
    situation, mode: Mode, answer: object, elsewhere
):
    kind, status = situation

    meaning = meaning_of(answer, kind, tender_in(status), mode, **elsewhere)

    for operation in meaning.operations:
        assert (operation.phase is Phase.SETTLED) is (operation.outcome is not None)
    assert len({operation.id for operation in meaning.operations}) == len(meaning.operations)


@everything()
def test_what_moved_is_told_and_nothing_else_is(situation, mode: Mode, answer: object, elsewhere):
    kind, status = situation

    meaning = meaning_of(answer, kind, tender_in(status), mode, **elsewhere)

    has_moved = meaning.payment is not None and meaning.payment.status is not status
    assert (has_moved or meaning.refund is not None) is (meaning.fact is not None)


@everything()
def test_only_a_refund_changes_what_is_reserved_or_given_back(
    situation, mode: Mode, answer: object, elsewhere
):
    kind, status = situation

    meaning = meaning_of(answer, kind, tender_in(status), mode, **elsewhere)

    deltas = (meaning.payment.refunded_delta, meaning.payment.reserved_delta) if meaning.payment else (0, 0)
    assert (deltas != (0, 0)) is (meaning.refund is not None)
    assert meaning.refund is None or (kind is OperationKind.REFUND and meaning.refund.id == REFUND)


@everything()
def test_only_a_free_payment_goes_to_another_account(situation, mode: Mode, answer: object, elsewhere):
    kind, status = situation
    is_proof = (isinstance(answer, NotSent) and mode is Mode.SEND) or (
        answer is DECLINED and "fails_over_on" in elsewhere
    )
    goes = is_proof and bool(elsewhere) and (kind, status) == (OperationKind.AUTHORIZE, PaymentStatus.PENDING)

    meaning = meaning_of(answer, kind, tender_in(status), mode, **elsewhere)

    assert (meaning.payment is not None and meaning.payment.gateway == "two") is goes


@everything()
def test_the_words_of_a_gateway_stay_with_the_operation_that_they_are_about(
    situation, mode: Mode, answer: object, elsewhere
):
    kind, status = situation
    tender = tender_in(status, live=(live(OperationKind.AUTHORIZE, operation_id=OTHER),))
    has_words = not isinstance(answer, NeverHappened)
    words = {"status": "whatever"}
    heard = replace(answer, evidence=words) if has_words else answer  # type: ignore[type-var]

    meaning = meaning_of(heard, kind, tender, mode, **elsewhere)

    kept = {operation.id: operation.evidence for operation in meaning.operations}
    assert kept.get(OPERATION) == (words if has_words and OPERATION in kept else None)
    assert kept.get(OTHER) is None


# --- Yes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("tender", OPEN, ids=lambda tender: tender.status)
def test_an_authorization_that_succeeded_reserves_the_money(tender: Tender, mode: Mode):
    meaning = meaning_of(Succeeded("pi_9", AMOUNT), OperationKind.AUTHORIZE, tender, mode)

    assert meaning == Meaning(
        Done(),
        (settled(OperationOutcome.SUCCEEDED, reference="pi_9"),),
        change(tender, PaymentStatus.AUTHORIZED, gateway="one", reference="pi_9"),
        fact=events.PaymentAuthorized(*MONEY, "one", "pi_9"),
    )


@pytest.mark.parametrize("mode", Mode)
def test_a_capture_that_succeeded_takes_the_whole_amount(mode: Mode):
    meaning = meaning_of(Succeeded("pi_1", AMOUNT), OperationKind.CAPTURE, AUTHORIZED, mode)

    assert meaning == Meaning(
        Done(),
        (settled(OperationOutcome.SUCCEEDED, reference="pi_1"),),
        change(AUTHORIZED, PaymentStatus.CAPTURED, captured_minor=AMOUNT),
        fact=events.PaymentCaptured(*MONEY, "one", "pi_1"),
    )


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("tender", HELD, ids=lambda tender: tender.status)
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
        fact=events.PaymentVoided(PAYMENT, ORDER),
    )


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("tender", OPEN, ids=lambda tender: tender.status)
def test_an_authorization_that_took_the_money_at_once_is_a_capture(tender: Tender, mode: Mode):
    meaning = meaning_of(
        Succeeded("pi_1", AMOUNT, is_captured=True), OperationKind.AUTHORIZE, tender, mode, fallback="two"
    )

    assert meaning == Meaning(
        Done(),
        (settled(OperationOutcome.SUCCEEDED, reference="pi_1"),),
        change(tender, PaymentStatus.CAPTURED, captured_minor=AMOUNT, gateway="one", reference="pi_1"),
        fact=events.PaymentCaptured(*MONEY, "one", "pi_1"),
    )


def test_an_authorization_keeps_the_time_at_which_it_lapses():
    lapses_at = NOW + timedelta(days=7)
    answer = Succeeded("pi_1", AMOUNT, capture_before=lapses_at)

    meaning = meaning_of(answer, OperationKind.AUTHORIZE, PENDING)

    assert meaning.payment == change(
        PENDING, PaymentStatus.AUTHORIZED, gateway="one", reference="pi_1", capture_before=lapses_at
    )


def test_a_capture_forgets_nothing_of_its_authorization():
    tender = replace(AUTHORIZED, capture_before=LATER)

    meaning = meaning_of(Succeeded("pi_1", AMOUNT), OperationKind.CAPTURE, tender)

    assert meaning.payment == change(
        tender, PaymentStatus.CAPTURED, captured_minor=AMOUNT, capture_before=LATER
    )


# --- No ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("tender", OPEN, ids=lambda tender: tender.status)
def test_a_declined_authorization_ends_the_payment(tender: Tender, mode: Mode):
    meaning = meaning_of(DECLINED, OperationKind.AUTHORIZE, tender, mode)

    assert meaning == Meaning(
        Refused("generic_decline"),
        (settled(OperationOutcome.DECLINED, reference="pi_1", error="generic_decline: no"),),
        change(
            tender,
            PaymentStatus.DECLINED,
            gateway="one",
            reference="pi_1",
            decline_code="generic_decline",
        ),
        fact=events.PaymentDeclined(*MONEY, "generic_decline"),
    )


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("kind", "tender"),
    [
        (OperationKind.CAPTURE, AUTHORIZED),
        (OperationKind.VOID, AUTHORIZED),
        (OperationKind.VOID, REQUIRES_ACTION),
        (OperationKind.VOID, PROCESSING),
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
@pytest.mark.parametrize("tender", HELD, ids=lambda tender: tender.status)
def test_what_was_captured_meanwhile_is_not_voided_but_known_as_captured(tender: Tender, mode: Mode):
    asked = replace(tender, live=(live(OperationKind.AUTHORIZE, operation_id=OTHER),))

    meaning = meaning_of(ALREADY_CAPTURED, OperationKind.VOID, asked, mode)

    assert meaning == Meaning(
        Failed("captured meanwhile, to be refunded", spends_attempt=False, made_progress=True),
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
        fact=events.PaymentCaptured(*MONEY, "one", "pi_1"),
    )


# --- Not at all --------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "status"), SITUATIONS)
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (NotSent("refused"), Failed("refused", spends_attempt=False)),
        (Throttled(None), turned_away(None)),
        (Throttled(7.0), turned_away(7.0)),
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
        Failed("no trace", spends_attempt=False, made_progress=True),
        (settled(OperationOutcome.ABANDONED, error="no trace"),),
        change(tender),
    )


def test_a_payment_that_never_left_is_voided_with_its_intents():
    tender = replace(PENDING, live=(live(OperationKind.AUTHORIZE),))

    assert voided(tender) == Meaning(
        Done(),
        (settled(OperationOutcome.ABANDONED),),
        change(tender, PaymentStatus.VOIDED),
        fact=events.PaymentVoided(PAYMENT, ORDER),
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


@pytest.mark.parametrize("tender", [REQUIRES_ACTION, PROCESSING], ids=lambda tender: tender.status)
@pytest.mark.parametrize(
    ("answer", "mode", "outcome"), [doubt for doubt in DOUBTS if doubt[1] is not Mode.SEND]
)
def test_what_the_gateway_has_taken_up_leaves_no_doubt_about_money(
    answer: Answer, mode: Mode, outcome: outcomes.InDoubt, tender: Tender
):
    assert meaning_of(answer, OperationKind.AUTHORIZE, tender, mode) == Meaning(outcome)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (answer, kind)
        for answer in (ActionRequired("pi_1", "https://bank.example"), Processing("pi_1"))
        for kind in OperationKind
        if kind is not OperationKind.AUTHORIZE and (kind, type(answer)) != (OperationKind.REFUND, Processing)
    ],
)
def test_only_an_authorization_waits_for_its_payer(answer: Answer, kind: OperationKind):
    status = {OperationKind.REFUND: PaymentStatus.CAPTURED}.get(kind, PaymentStatus.AUTHORIZED)

    meaning = meaning_of(answer, kind, tender_in(status), Mode.ASK)

    assert meaning.outcome == outcomes.InDoubt(f"not an answer to {kind}: {type(answer).__name__}")


# --- The payer -----------------------------------------------------------------------------------

REDIRECT = ActionRequired("pi_1", "https://bank.example/3ds")
SLIP = ActionRequired("pi_1", SLIP_URL, type=ActionType.VOUCHER, until=SLIP_UNTIL)
TIMELESS_SLIP = replace(SLIP, until=None)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("answer", "until", "waiting"),
    [
        (
            REDIRECT,
            NOW + AUTHENTICATION_LASTS,
            Waiting("the payer has to act", NOW + AUTHENTICATION_LASTS),
        ),
        (
            SLIP,
            SLIP_UNTIL,
            Waiting("the payer has to pay the slip", SLIP_UNTIL + CLEARING_LASTS, DELAYED_POLL_S_MAX),
        ),
        (
            TIMELESS_SLIP,
            NOW + SLIP_LASTS,
            Waiting("the payer has to pay the slip", NOW + SLIP_LASTS + CLEARING_LASTS, DELAYED_POLL_S_MAX),
        ),
    ],
    ids=["3-D Secure", "slip", "slip without a date"],
)
def test_a_payer_who_has_to_act_gets_an_address_and_a_time(
    answer: ActionRequired, until, waiting: Waiting, mode: Mode
):
    meaning = meaning_of(answer, OperationKind.AUTHORIZE, PENDING, mode)

    assert meaning == Meaning(
        waiting,
        (OperationChange(OPERATION, Phase.SENT, reference="pi_1"),),
        change(
            PENDING,
            PaymentStatus.REQUIRES_ACTION,
            gateway="one",
            reference="pi_1",
            action_type=answer.type,
            action_url=answer.url,
            action_until=until,
        ),
        fact=events.PaymentActionRequired(PAYMENT, ORDER, answer.url, "one", "pi_1"),
    )


# An old answer about a payment that is being worked on by now moves nothing backward.
@pytest.mark.parametrize(
    ("tender", "answer", "waiting"),
    [
        (REQUIRES_ACTION, REDIRECT, Waiting("the payer has to act", LATER)),
        (
            REQUIRES_ACTION,
            SLIP,
            Waiting("the payer has to pay the slip", LATER + CLEARING_LASTS, DELAYED_POLL_S_MAX),
        ),
        (PROCESSING, REDIRECT, Waiting("the payer has to act", NOW + AUTHENTICATION_LASTS)),
        (
            PROCESSING,
            SLIP,
            Waiting("the payer has to pay the slip", SLIP_UNTIL + CLEARING_LASTS, DELAYED_POLL_S_MAX),
        ),
        (
            PROCESSING,
            Processing("pi_1"),
            Waiting("the gateway works on it", NOW + PROCESSING_LASTS, DELAYED_POLL_S_MAX),
        ),
    ],
)
def test_whoever_still_has_time_is_waited_for(tender: Tender, answer: Answer, waiting: Waiting):
    assert meaning_of(answer, OperationKind.AUTHORIZE, tender, Mode.LOOK) == Meaning(waiting)


def test_a_payer_is_sent_to_the_charge_that_followed_a_forgotten_one():
    another = replace(REDIRECT, reference="pi_2", url="https://gateway.test/pi_2")

    meaning = meaning_of(another, OperationKind.AUTHORIZE, REQUIRES_ACTION, Mode.SEND)

    assert meaning.payment is not None
    assert (meaning.payment.reference, meaning.payment.action_url) == ("pi_2", "https://gateway.test/pi_2")


@pytest.mark.parametrize(
    ("answer", "until", "code"),
    [
        (REDIRECT, NOW, "authentication_timeout"),
        (SLIP, NOW - CLEARING_LASTS, "payment_expired"),
    ],
)
def test_a_payer_who_let_the_time_pass_is_waited_for_no_longer(answer: ActionRequired, until, code: str):
    tender = replace(REQUIRES_ACTION, action_until=until)

    assert meaning_of(answer, OperationKind.AUTHORIZE, tender, Mode.LOOK) == Meaning(Refused(code))


def test_a_slip_that_may_still_be_clearing_is_waited_for():
    tender = replace(REQUIRES_ACTION, action_until=NOW - CLEARING_LASTS + timedelta(seconds=1))

    meaning = meaning_of(SLIP, OperationKind.AUTHORIZE, tender, Mode.LOOK)

    assert meaning == Meaning(
        Waiting("the payer has to pay the slip", NOW + timedelta(seconds=1), DELAYED_POLL_S_MAX)
    )


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("tender", [PENDING, REQUIRES_ACTION], ids=lambda tender: tender.status)
def test_what_a_gateway_works_on_is_waited_for_and_told(tender: Tender, mode: Mode):
    meaning = meaning_of(Processing("pi_1"), OperationKind.AUTHORIZE, tender, mode, fallback="two")

    assert meaning == Meaning(
        Waiting("the gateway works on it", NOW + PROCESSING_LASTS, DELAYED_POLL_S_MAX),
        (OperationChange(OPERATION, Phase.SENT, reference="pi_1"),),
        change(tender, PaymentStatus.PROCESSING, gateway="one", reference="pi_1"),
        fact=events.PaymentProcessing(PAYMENT, ORDER, "one", "pi_1"),
    )


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
