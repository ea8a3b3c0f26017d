"""All that Stripe knows of a charge, and its list of movements, in our words."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from payments.gateways.base import (
    Absent,
    ChargeState,
    InDoubt,
    LineKind,
    NotSent,
    Observation,
    SeenDispute,
    SeenRefund,
    StatementLine,
    Throttled,
)
from payments.gateways.errors import StatementUnavailableError
from payments.gateways.stripe import DISPUTE_PAGES_MAX
from payments.gateways.stripe_lookups import REFUND_PAGES_MAX
from payments.states import DisputeStatus
from tests.unit.scripted_gateway import ScriptedGateway, answer, hang_up
from tests.unit.stripe_objects import PAYMENT, captured, error, gateway, intent, page, refund

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT_S = int(MOMENT.timestamp())
CHARGE = {
    "id": "ch_1",
    "object": "charge",
    "payment_intent": "pi_1",
    "payment_method_details": {"type": "card", "card": {"capture_before": MOMENT_S}},
}


def listed(*items, has_more=False):
    return page(*items, kind="list", has_more=has_more)


def dispute(**changes):
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": 1299,
        "currency": "eur",
        "reason": "fraudulent",
        "status": "needs_response",
        "created": MOMENT_S,
        **changes,
    }


def movement(**changes):
    return {
        "id": "txn_1",
        "object": "balance_transaction",
        "amount": 1299,
        "fee": 49,
        "currency": "eur",
        "created": MOMENT_S,
        "reporting_category": "charge",
        "type": "charge",
        "source": CHARGE,
        **changes,
    }


def observe(*replies):
    with ScriptedGateway(replies) as server:
        seen = gateway(server.url).observe("pi_1")
    return seen, [request.split(b" ")[1].decode() for request in server.requests]


def statement(*replies, since=None):
    with ScriptedGateway(replies) as server:
        lines = list(gateway(server.url).statement(since=since))
    return lines, [request.split(b" ")[1].decode() for request in server.requests]


def test_a_charge_is_seen_with_its_refunds_and_its_disputes():
    ours, foreign = refund(created=MOMENT_S), refund(id="re_2", metadata={}, created=MOMENT_S, amount=9)

    seen, asked = observe(
        answer(captured(latest_charge=CHARGE)),
        listed(ours, has_more=True),
        listed(foreign),
        listed(dispute()),
    )

    assert seen == Observation(
        reference="pi_1",
        state=ChargeState.CAPTURED,
        amount_minor=1299,
        captured_minor=1299,
        currency="EUR",
        payment_id=PAYMENT,
        key="key-1",
        refunds=(
            SeenRefund("re_1", "key-4", 500, "succeeded", MOMENT),
            SeenRefund("re_2", "", 9, "succeeded", MOMENT),
        ),
        disputes=(SeenDispute("dp_1", 1299, "EUR", "fraudulent", DisputeStatus.OPEN, MOMENT),),
        capture_before=MOMENT,
    )
    assert seen.evidence["id"] == "pi_1"
    assert asked == [
        "/v1/payment_intents/pi_1?expand[0]=latest_charge",
        "/v1/refunds?payment_intent=pi_1&limit=100",
        "/v1/refunds?payment_intent=pi_1&limit=100&starting_after=re_1",
        "/v1/disputes?payment_intent=pi_1&limit=100",
    ]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"status": "requires_confirmation"}, ChargeState.OPEN),
        ({"status": "requires_action"}, ChargeState.OPEN),
        ({"status": "processing"}, ChargeState.OPEN),
        ({"status": "requires_payment_method"}, ChargeState.OPEN),
        ({"status": "requires_payment_method", "last_payment_error": {"code": "expired"}}, ChargeState.ENDED),
        ({"status": "requires_capture"}, ChargeState.AUTHORIZED),
        ({"status": "succeeded"}, ChargeState.CAPTURED),
        ({"status": "canceled"}, ChargeState.ENDED),
    ],
)
def test_a_charge_is_in_one_of_four_states(changes, state):
    seen, _asked = observe(answer(intent(**changes)), listed(), listed())

    assert seen.state is state


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("pending", "pending"),
        ("requires_action", "pending"),
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("canceled", "failed"),
    ],
)
def test_a_refund_is_in_one_of_three(status, expected):
    body = refund(status=status, failure_reason="expired_or_canceled_card", created=MOMENT_S)

    seen, _asked = observe(answer(captured()), listed(body), listed())

    assert seen.refunds == (SeenRefund("re_1", "key-4", 500, expected, MOMENT, "expired_or_canceled_card"),)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("needs_response", DisputeStatus.OPEN),
        ("under_review", DisputeStatus.OPEN),
        ("appeal_needs_response", DisputeStatus.OPEN),
        ("appeal_under_review", DisputeStatus.OPEN),
        ("a_new_one", DisputeStatus.OPEN),
        ("won", DisputeStatus.WON),
        ("lost", DisputeStatus.LOST),
    ],
)
def test_a_dispute_is_open_until_stripe_says_how_it_ended(status, expected):
    seen, _asked = observe(answer(captured()), listed(), listed(dispute(status=status)))

    assert [each.status for each in seen.disputes] == [expected]


@pytest.mark.parametrize(
    "status", ["warning_needs_response", "warning_under_review", "warning_closed", "warning_new", "prevented"]
)
def test_what_takes_no_money_is_no_dispute(status):
    inquiry = dispute(id="dp_2", status=status)

    seen, _asked = observe(answer(captured()), listed(), listed(inquiry, dispute()))

    assert [each.reference for each in seen.disputes] == ["dp_1"]


def test_what_is_seen_is_in_iso_minor_units():
    kronur = captured(currency="isk", amount=129900) | {"amount_received": 129900}
    back = refund(currency="isk", amount=50000, created=MOMENT_S)

    seen, _asked = observe(answer(kronur), listed(back), listed(dispute(currency="isk", amount=129900)))

    assert (seen.amount_minor, seen.captured_minor, seen.currency) == (1299, 1299, "ISK")
    assert (seen.refunds[0].amount_minor, seen.disputes[0].amount_minor) == (500, 1299)


@pytest.mark.parametrize("metadata", [None, {}, {"payment_id": "7"}, {"payment_id": 7, "operation_key": []}])
def test_a_charge_that_is_not_ours_says_so(metadata):
    seen, _asked = observe(answer(intent(metadata=metadata)), listed(), listed())

    assert (seen.payment_id, seen.key) == (None, "")


@pytest.mark.parametrize(
    "body",
    [
        intent(id="pi_2"),
        intent(object="charge"),
        intent(status="tomorrow"),
        intent(status=None),
        intent(amount="1299"),
        intent(amount=None),
        intent(amount_received=1.0),
        intent(currency=None),
        intent(currency="€"),
        intent(currency="isk", amount=1),
        [],
        "nonsense",
    ],
)
def test_a_charge_that_is_not_understood_is_in_doubt(body):
    assert isinstance(observe(answer(body), listed(), listed())[0], InDoubt)


@pytest.mark.parametrize(
    "body",
    [
        refund(status="tomorrow", created=MOMENT_S),
        refund(created="now"),
        refund(created=10**30),
        refund(amount=None, created=MOMENT_S),
        refund(id="", created=MOMENT_S),
    ],
)
def test_a_refund_that_is_not_understood_puts_all_in_doubt(body):
    assert isinstance(observe(answer(captured()), listed(body), listed())[0], InDoubt)


def test_an_unknown_charge_is_absent():
    unknown = error(404, type="invalid_request_error", code="resource_missing")

    assert observe(unknown)[0] == Absent()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer("", status=429, headers="Retry-After: 7\r\n"), Throttled),
        (error(401, type="invalid_request_error"), NotSent),
        (error(500), InDoubt),
        (error(400, type="invalid_request_error", code="other"), InDoubt),
        (answer("nonsense"), InDoubt),
        (hang_up, InDoubt),
    ],
)
@pytest.mark.parametrize("before", [[], [answer(captured())], [answer(captured()), listed()]])
def test_an_observation_that_breaks_off_is_none(before, reply, expected):
    assert isinstance(observe(*before, reply)[0], expected)


@pytest.mark.parametrize(
    ("before", "page_", "calls"),
    [
        ([answer(captured())], listed(refund(created=MOMENT_S), has_more=True), 1 + REFUND_PAGES_MAX),
        ([answer(captured()), listed()], listed(dispute(), has_more=True), 2 + DISPUTE_PAGES_MAX),
    ],
    ids=["refunds", "disputes"],
)
def test_an_observation_without_an_end_is_given_up(before, page_, calls):
    seen, asked = observe(*before, page_)

    assert isinstance(seen, InDoubt)
    assert len(asked) == calls


BACK = {"id": "re_1", "object": "refund", "payment_intent": "pi_1"}
DISPUTED = {"id": "dp_1", "object": "dispute", "payment_intent": {"id": "pi_1"}}


@pytest.mark.parametrize(
    ("changes", "kind", "source", "reference"),
    [
        ({}, LineKind.CHARGE, "ch_1", "pi_1"),
        ({"type": "payment"}, LineKind.CHARGE, "ch_1", "pi_1"),
        ({"type": "refund", "reporting_category": "refund", "amount": -5, "source": BACK},
         LineKind.REFUND, "re_1", "pi_1"),
        ({"type": "payment_refund", "reporting_category": "refund", "amount": -5, "source": BACK},
         LineKind.REFUND, "re_1", "pi_1"),
        ({"type": "payment_refund", "reporting_category": "refund", "amount": 5, "source": BACK},
         LineKind.REFUND_FAILED, "re_1", "pi_1"),
        ({"type": "refund_failure", "reporting_category": "refund_failure", "source": BACK},
         LineKind.REFUND_FAILED, "re_1", "pi_1"),
        ({"type": "adjustment", "reporting_category": "refund_failure", "source": BACK},
         LineKind.REFUND_FAILED, "re_1", "pi_1"),
        ({"type": "adjustment", "reporting_category": "dispute", "amount": -5, "source": DISPUTED},
         LineKind.DISPUTE, "dp_1", "pi_1"),
        ({"type": "adjustment", "reporting_category": "dispute_reversal", "source": DISPUTED},
         LineKind.DISPUTE_WON, "dp_1", "pi_1"),
        ({"type": "payment_failure_refund", "reporting_category": "charge_failure", "amount": -5},
         LineKind.OTHER, "ch_1", "pi_1"),
        ({"type": "refund", "reporting_category": "partial_capture_reversal", "amount": -5},
         LineKind.OTHER, "ch_1", "pi_1"),
        ({"type": "payout", "reporting_category": "payout", "amount": -5, "source": "po_1"},
         LineKind.OTHER, "po_1", ""),
        ({"type": "stripe_fee", "reporting_category": "fee", "amount": -5, "source": None},
         LineKind.OTHER, "", ""),
        ({"reporting_category": None}, LineKind.CHARGE, "ch_1", "pi_1"),
        ({"reporting_category": "", "type": "payment"}, LineKind.CHARGE, "ch_1", "pi_1"),
        ({"reporting_category": None, "type": "payment_refund", "amount": -5, "source": BACK},
         LineKind.REFUND, "re_1", "pi_1"),
        ({"reporting_category": None, "type": "payment_failure_refund", "amount": -5},
         LineKind.OTHER, "ch_1", "pi_1"),
        ({"reporting_category": None, "type": "adjustment"}, LineKind.OTHER, "ch_1", "pi_1"),
        ({"source": "ch_1"}, LineKind.CHARGE, "ch_1", ""),
        ({"source": {"id": "ch_1", "payment_intent": None}}, LineKind.CHARGE, "ch_1", ""),
    ],
)  # fmt: skip
def test_a_movement_is_a_line(changes, kind, source, reference):
    lines, _asked = statement(listed(movement(**changes)))

    amount_minor = changes.get("amount", 1299)
    assert lines == [StatementLine("txn_1", kind, amount_minor, 49, "EUR", source, reference, MOMENT)]


def test_a_statement_is_read_page_by_page_from_its_beginning():
    lines, asked = statement(
        listed(movement(), movement(id="txn_2"), has_more=True),
        listed(movement(id="txn_3")),
        since=MOMENT + timedelta(microseconds=7),
    )

    assert [line.id for line in lines] == ["txn_1", "txn_2", "txn_3"]
    first = f"/v1/balance_transactions?expand[0]=data.source&created[gte]={MOMENT_S}&limit=100"
    assert asked == [first, f"{first}&starting_after=txn_2"]


def test_a_page_is_asked_for_only_when_it_is_needed():
    with ScriptedGateway([listed(movement(), movement(id="txn_2"), has_more=True)]) as server:
        lines = gateway(server.url).statement(since=None)
        assert server.requests == []

        assert [line.id for line in islice(lines, 2)] == ["txn_1", "txn_2"]

    assert len(server.requests) == 1


def test_amounts_of_a_statement_are_iso_minor_units():
    lines, _asked = statement(listed(movement(currency="isk", amount=-129900, fee=0)))

    assert (lines[0].amount_minor, lines[0].fee_minor, lines[0].currency) == (-1299, 0, "ISK")


@pytest.mark.parametrize(
    "reply",
    [
        answer("", status=500),
        answer("", status=429),
        error(401),
        answer("nonsense"),
        hang_up,
        listed(has_more=True),
        listed(movement(amount=None)),
        listed(movement(fee="1")),
        listed(movement(created=None)),
        listed(movement(currency="isk", fee=1)),
        listed(movement(id=None)),
    ],
)
@pytest.mark.parametrize("before", [[], [listed(movement(), has_more=True)]])
def test_a_statement_that_breaks_off_says_so(before, reply):
    with pytest.raises(StatementUnavailableError) as unavailable:
        statement(*before, reply)

    assert unavailable.value.retryable
    assert unavailable.value.facts["gateway"] == "stripe"
