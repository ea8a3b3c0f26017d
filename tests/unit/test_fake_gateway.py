"""What the fake gateway can be made to do, beyond the contract that it shares with the real one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from payments.gateways.base import (
    Absent,
    Authorize,
    Capture,
    ChargeState,
    Declined,
    InDoubt,
    LineKind,
    Processing,
    Refund,
    Succeeded,
    Throttled,
    Void,
)
from payments.gateways.errors import StatementUnavailableError
from payments.states import MethodType
from payments.testing import (
    METHOD_BOLETO,
    METHOD_DECLINED,
    METHOD_OK,
    METHOD_WITH_PENDING_REFUND,
    FakeGateway,
    Trouble,
)

NOON = datetime(2026, 3, 1, 12, 0, 0, 7, tzinfo=UTC)


@pytest.fixture
def gateway():
    return FakeGateway(now=lambda: NOON)


def authorize(method=METHOD_OK, *, key="authorize-1", method_type=MethodType.CARD):
    return Authorize(key, UUID(int=1), UUID(int=2), 1299, "BRL", method, method_type)


def captured(gateway, method=METHOD_OK):
    reference = gateway.send(authorize(method)).reference
    gateway.send(Capture("capture-1", reference, 1299, "BRL"))
    return reference


@pytest.mark.parametrize("method", [METHOD_OK, METHOD_WITH_PENDING_REFUND])
def test_a_refund_can_fail_whether_it_had_arrived_or_not(gateway, method):
    reference = captured(gateway, method)
    request = Refund("refund-1", reference, 500, "BRL")
    refund = gateway.send(request).reference

    gateway.bank.end_refund(refund, failure_code="lost_or_stolen_card")

    answer = gateway.look_up(request)
    assert (type(answer), answer.code, answer.reference) == (Declined, "lost_or_stolen_card", refund)
    assert [seen.failure_code for seen in gateway.observe(reference).refunds] == ["lost_or_stolen_card"]
    moved = [(line.kind, line.amount_minor) for line in gateway.statement(since=None)]
    assert moved == [(LineKind.REFUND_FAILED, 500), (LineKind.REFUND, -500), (LineKind.CHARGE, 1299)]
    assert isinstance(gateway.send(Refund("refund-2", reference, 1299, "BRL")), Succeeded | Processing)


def test_an_authorization_can_lapse(gateway):
    reference = gateway.send(authorize()).reference

    gateway.bank.lapse(reference)

    assert gateway.look_up(authorize()) == Declined("canceled", "The authorization was cancelled.", reference)
    assert gateway.send(Capture("capture-1", reference, 1299, "BRL")).code == "authorization_gone"


def test_times_are_whole_seconds_of_its_own_clock(gateway):
    held = gateway.send(authorize()).capture_before
    slip = gateway.send(authorize(METHOD_BOLETO, key="authorize-2", method_type=MethodType.BOLETO)).until

    noon = NOON.replace(microsecond=0)
    assert (held - noon, slip - noon) == (timedelta(days=7), timedelta(days=3))


def test_a_payer_cannot_do_what_the_charge_does_not_wait_for(gateway):
    reference = gateway.send(authorize()).reference

    with pytest.raises(AssertionError, match="the charge is authorized"):
        gateway.bank.pay(reference)

    assert gateway.observe(reference).state is ChargeState.AUTHORIZED


def test_a_slip_that_lapsed_can_still_be_voided(gateway):
    request = authorize(METHOD_BOLETO, method_type=MethodType.BOLETO)
    reference = gateway.send(request).reference
    gateway.bank.lapse(reference)

    assert gateway.look_up(request).code == "payment_intent_payment_attempt_expired"
    assert gateway.send(Void("void-1", reference, "BRL")) == Succeeded(reference, 1299)


def test_the_next_questions_are_answered_as_planned(gateway):
    reference = captured(gateway)
    gateway.plan_lookups(Absent())
    gateway.plan_observations(Throttled(3.0), InDoubt("planned"))

    assert gateway.look_up(authorize()) == Absent()
    assert [gateway.observe(reference) for _time in range(2)] == [Throttled(3.0), InDoubt("planned")]
    assert gateway.observe(reference).state is ChargeState.CAPTURED


def test_a_statement_breaks_off_where_it_is_told_to(gateway):
    reference = captured(gateway)
    gateway.send(Refund("refund-1", reference, 1, "BRL"))
    gateway.statement_breaks_at = 1
    lines = gateway.statement(since=None)

    assert next(lines).kind is LineKind.REFUND
    with pytest.raises(StatementUnavailableError):
        next(lines)


def test_a_lost_answer_has_its_effect_and_a_lost_request_has_none(gateway):
    gateway.plan(Authorize, Trouble.ANSWER_LOST, Trouble.REQUEST_LOST)
    first, second = authorize(), authorize(key="authorize-2")

    assert [type(gateway.send(request)) for request in (first, second)] == [InDoubt, InDoubt]
    assert isinstance(gateway.look_up(first), Succeeded)
    assert gateway.look_up(second) == Absent()


def test_a_refused_card_leaves_no_charge(gateway):
    refused = gateway.send(authorize(METHOD_DECLINED))

    assert gateway.look_up(authorize(METHOD_DECLINED)) == refused
    assert gateway.book == {}
