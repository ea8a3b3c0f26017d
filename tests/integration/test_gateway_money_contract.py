"""One contract, two gateways: methods that pay later, refunds that pend, and what is seen from outside."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import uuid4

import pytest

from payments.gateways.base import (
    Absent,
    ActionRequired,
    ActionType,
    Authorize,
    Capture,
    ChargeState,
    Declined,
    InDoubt,
    LineKind,
    Observation,
    Processing,
    Refund,
    Succeeded,
    Void,
)
from payments.gateways.errors import StatementUnavailableError
from payments.gateways.stripe import StripeGateway
from payments.states import DisputeStatus, MethodType
from payments.testing import (
    METHOD_BOLETO,
    METHOD_OK,
    METHOD_VOUCHER,
    METHOD_WITH_ACTION,
    METHOD_WITH_PENDING_REFUND,
    FakeGateway,
)
from resilience.ids import new_id
from tests.integration.gateway_worlds import FakeWorld, SandboxWorld, eventually

# Every setting that the tests change, so that nothing happens by itself that they do not wait for.
QUIET = {"boleto_pays_after_s": 600, "boleto_clears_after_s": 600, "refund_clears_after_s": 600}


def authorize(method=METHOD_OK, *, method_type=MethodType.CARD, amount_minor=1299):
    currency = "BRL" if method_type is MethodType.BOLETO else "EUR"
    key = f"authorize-{new_id()}"
    return Authorize(key, uuid4(), uuid4(), amount_minor, currency, method, method_type)


def boleto():
    return authorize(METHOD_BOLETO, method_type=MethodType.BOLETO)


def new_key():
    return f"test-{uuid4()}"


@pytest.fixture(params=["fake", "sandbox"])
def world(request):
    if request.param == "fake":
        yield FakeWorld(FakeGateway())
        return
    sandbox = request.getfixturevalue("sandbox")
    account = StripeGateway(
        name="sandbox",
        url=sandbox.url,
        secret_key=sandbox.secret_key,
        return_url="https://shop.example/back",
        read_timeout_s=5,
    )
    around = SandboxWorld(account, sandbox.url)
    before = around.configure(**QUIET)
    yield around
    around.configure(**{name: before[name] for name in QUIET})


@pytest.fixture
def gateway(world):
    return world.gateway


@pytest.fixture
def captured(gateway):
    request = authorize()
    reference = gateway.send(request).reference
    gateway.send(Capture(new_key(), reference, 1299, "EUR"))
    return reference


def lines_of(gateway, reference):
    since = datetime.now(UTC) - timedelta(minutes=5)
    mine = [line for line in gateway.statement(since=since) if line.reference == reference]
    return [(line.kind, line.amount_minor, line.currency, line.source) for line in mine]


# --- Methods that pay in their own way -----------------------------------------------------------


def test_a_voucher_is_held_first_and_taken_later(gateway):
    request = authorize(METHOD_VOUCHER, method_type=MethodType.VOUCHER)

    answer = gateway.send(request)

    assert (type(answer), answer.amount_minor, answer.is_captured) == (Succeeded, 1299, False)
    assert gateway.send(Capture(new_key(), answer.reference, 1299, "EUR")) == Succeeded(
        answer.reference, 1299
    )
    assert gateway.look_up(request) == Succeeded(answer.reference, 1299, is_captured=True)


def test_a_boleto_shows_its_payer_a_slip_with_an_end(gateway):
    request = boleto()

    answer = gateway.send(request)

    assert (type(answer), answer.type) == (ActionRequired, ActionType.VOUCHER)
    assert answer.url.startswith("http")
    assert timedelta(days=2) < answer.until - datetime.now(UTC) < timedelta(days=4)
    assert gateway.look_up(request) == answer


def test_a_boleto_that_was_paid_is_captured(world, gateway):
    request = boleto()
    reference = gateway.send(request).reference

    world.pay(reference)

    assert gateway.look_up(request) == Succeeded(reference, 1299, is_captured=True)
    assert gateway.send(Capture(new_key(), reference, 1299, "BRL")) == Succeeded(reference, 1299)
    late = gateway.send(Void(new_key(), reference, "BRL"))
    assert (type(late), late.code) == (Declined, "already_captured")


def test_a_boleto_is_processing_until_the_bank_has_cleared_it(world, gateway):
    if isinstance(world, SandboxWorld):
        world.configure(boleto_pays_after_s=0)
    request = boleto()
    reference = gateway.send(request).reference

    world.begin_to_pay(reference)

    answer = eventually(lambda: gateway.look_up(request), lambda seen: not isinstance(seen, ActionRequired))
    assert answer == Processing(reference)
    assert isinstance(gateway.send(Void(new_key(), reference, "BRL")), InDoubt)
    assert gateway.observe(reference).state is ChargeState.OPEN


def test_a_boleto_that_nobody_paid_is_declined(world, gateway):
    request = boleto()
    reference = gateway.send(request).reference

    world.fail_to_pay(reference)

    answer = gateway.look_up(request)
    assert (type(answer), answer.reference) == (Declined, reference)
    assert answer.code.startswith("payment_intent_payment_attempt_")
    assert gateway.observe(reference).state is ChargeState.ENDED


def test_a_boleto_that_waits_can_be_voided(gateway):
    request = boleto()
    reference = gateway.send(request).reference
    void = Void(new_key(), reference, "BRL")

    assert gateway.look_up(void) == Absent()
    assert gateway.send(void) == gateway.look_up(void) == Succeeded(reference, 1299)
    assert gateway.look_up(request).code == "canceled"


def test_a_payer_who_authenticated_is_authorized(world, gateway):
    request = authorize(METHOD_WITH_ACTION)
    action = gateway.send(request)

    world.authenticate(action.reference)

    answer = gateway.look_up(request)
    assert (type(answer), answer.reference, answer.is_captured) == (Succeeded, action.reference, False)
    assert answer.capture_before is not None


def test_an_authorization_captured_by_hand_is_seen_as_captured(world, gateway):
    request = authorize()
    reference = gateway.send(request).reference

    world.capture_by_hand(reference, 1299)

    assert gateway.look_up(request) == Succeeded(reference, 1299, is_captured=True)


def test_another_amount_captured_by_hand_is_in_doubt(world, gateway):
    request = authorize()
    reference = gateway.send(request).reference

    world.capture_by_hand(reference, 1000)

    doubt = InDoubt("the gateway shows another amount_received than ours", is_stored=True)
    assert gateway.look_up(request) == doubt
    assert gateway.send(Capture(new_key(), reference, 1299, "EUR")) == doubt


# --- Refunds that take their time ----------------------------------------------------------------


def test_a_refund_may_be_processing_and_arrive_later(world, gateway):
    if isinstance(world, SandboxWorld):
        world.configure(refund_clears_after_s=1)
    reference = gateway.send(authorize(METHOD_WITH_PENDING_REFUND)).reference
    gateway.send(Capture(new_key(), reference, 1299, "EUR"))
    refund = Refund(new_key(), reference, 500, "EUR")

    answer = gateway.send(refund)

    assert answer == Processing(answer.reference)
    world.end_refund(answer.reference)
    arrived = eventually(lambda: gateway.look_up(refund), lambda seen: isinstance(seen, Succeeded))
    assert arrived == Succeeded(answer.reference, 500)
    assert [seen.status for seen in gateway.observe(reference).refunds] == ["succeeded"]


# --- What is seen from outside -------------------------------------------------------------------


def test_an_open_charge_is_seen_as_it_is(gateway):
    request = authorize(METHOD_WITH_ACTION)
    reference = gateway.send(request).reference

    assert gateway.observe(reference) == Observation(
        reference=reference,
        state=ChargeState.OPEN,
        amount_minor=1299,
        captured_minor=0,
        currency="EUR",
        payment_id=request.payment_id,
        key=request.key,
    )


def test_a_held_charge_shows_when_it_lapses(gateway):
    request = authorize()
    answer = gateway.send(request)

    seen = gateway.observe(answer.reference)

    assert (seen.state, seen.captured_minor) == (ChargeState.AUTHORIZED, 0)
    assert seen.capture_before == answer.capture_before
    gateway.send(Void(new_key(), answer.reference, "EUR"))
    assert gateway.observe(answer.reference).state is ChargeState.ENDED


def test_all_of_a_charge_is_seen_whoever_did_it(world, gateway, captured):
    ours = Refund(new_key(), captured, 300, "EUR")
    first = gateway.send(ours).reference
    by_hand = world.refund_by_hand(captured, 99)
    dispute = world.dispute(captured, 900)

    seen = gateway.observe(captured)

    assert (seen.state, seen.captured_minor) == (ChargeState.CAPTURED, 1299)
    assert [(each.reference, each.key, each.amount_minor, each.status) for each in seen.refunds] == [
        (by_hand, "", 99, "succeeded"),
        (first, ours.key, 300, "succeeded"),
    ]
    assert [(each.reference, each.amount_minor, each.currency, each.reason) for each in seen.disputes] == [
        (dispute, 900, "EUR", "fraudulent")
    ]
    assert seen.disputes[0].status is DisputeStatus.OPEN
    now = datetime.now(UTC)
    assert all(now - timedelta(minutes=1) < each.created_at <= now for each in seen.refunds)
    assert now - timedelta(minutes=1) < seen.disputes[0].opened_at <= now


@pytest.mark.parametrize(("is_won", "status"), [(True, DisputeStatus.WON), (False, DisputeStatus.LOST)])
def test_a_dispute_ends_as_the_bank_decides(world, gateway, captured, is_won, status):
    dispute = world.dispute(captured, 1299)
    open_refund = gateway.send(Refund(new_key(), captured, 1, "EUR"))

    world.close_dispute(dispute, is_won=is_won)

    assert open_refund.code == "charge_disputed"
    assert [each.status for each in gateway.observe(captured).disputes] == [status]
    assert isinstance(gateway.send(Refund(new_key(), captured, 1, "EUR")), Succeeded if is_won else Declined)


def test_a_charge_that_is_not_there_is_absent(gateway):
    assert gateway.observe("pi_nobody") == Absent()


def test_the_statement_has_a_line_for_each_movement_the_newest_first(world, gateway, captured):
    refund = gateway.send(Refund(new_key(), captured, 299, "EUR")).reference
    dispute = world.dispute(captured, 1000)
    world.close_dispute(dispute, is_won=True)

    lines = lines_of(gateway, captured)

    assert [line[:3] for line in lines] == [
        (LineKind.DISPUTE_WON, 1000, "EUR"),
        (LineKind.DISPUTE, -1000, "EUR"),
        (LineKind.REFUND, -299, "EUR"),
        (LineKind.CHARGE, 1299, "EUR"),
    ]
    assert [line[3] for line in lines[:3]] == [dispute, dispute, refund]
    assert lines[3][3] not in ("", captured)


def test_a_boleto_is_in_the_statement_once_it_was_paid(world, gateway):
    reference = gateway.send(boleto()).reference
    assert lines_of(gateway, reference) == []

    world.pay(reference)

    assert [line[:3] for line in lines_of(gateway, reference)] == [(LineKind.CHARGE, 1299, "BRL")]


def test_a_statement_is_read_as_far_as_it_is_wanted(gateway, captured):
    assert len(list(islice(gateway.statement(since=None), 1))) == 1
    assert list(gateway.statement(since=datetime.now(UTC) + timedelta(hours=1))) == []


def test_a_statement_of_more_than_a_page_has_every_line(gateway, captured):
    refunds = [gateway.send(Refund(new_key(), captured, 1, "EUR")).reference for _number in range(102)]

    lines = lines_of(gateway, captured)

    assert [line[3] for line in lines[:-1]] == refunds[::-1]


def test_a_statement_that_breaks_off_says_so(world, gateway, captured, request):
    if isinstance(world, SandboxWorld):
        request.getfixturevalue("sandbox").faults({"fault": "error_before", "operation": "list"})
    else:
        gateway.statement_breaks_at = 0

    with pytest.raises(StatementUnavailableError):
        list(gateway.statement(since=None))
