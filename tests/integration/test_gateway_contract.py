"""One contract, two gateways: the fake of `payments.testing` and the Stripe adapter on the sandbox."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import httpx
import pytest

from payments.gateways.base import (
    Absent,
    ActionRequired,
    Authorize,
    Capture,
    Declined,
    InDoubt,
    NotSent,
    Refund,
    Succeeded,
    Throttled,
    Void,
)
from payments.gateways.errors import KeyReusedError
from payments.gateways.stripe import StripeGateway
from payments.testing import (
    METHOD_DECLINED,
    METHOD_OK,
    METHOD_WITH_ACTION,
    METHOD_WITHOUT_FUNDS,
    FakeGateway,
)


def new_key():
    return f"test-{uuid4()}"


def authorize(method=METHOD_OK, **changes):
    request = Authorize(new_key(), uuid4(), uuid4(), 1299, "EUR", method)
    return replace(request, **changes)


@pytest.fixture
def stripe(sandbox):
    return StripeGateway(
        name="sandbox",
        url=sandbox.url,
        secret_key=sandbox.secret_key,
        return_url="https://shop.example/back",
        read_timeout_s=1,
    )


@pytest.fixture(params=["fake", "sandbox"])
def gateway(request):
    return FakeGateway() if request.param == "fake" else request.getfixturevalue("stripe")


@pytest.fixture
def authorized(gateway):
    """The reference of an authorization of 1299."""
    return gateway.send(authorize()).reference


@pytest.fixture
def captured(gateway, authorized):
    gateway.send(Capture(new_key(), authorized, 1299, "EUR"))
    return authorized


# --- The contract --------------------------------------------------------------------------------


def test_a_payment_is_authorized_captured_and_given_back_in_parts(gateway):
    answer = gateway.send(authorize())
    reference = answer.reference

    assert answer == Succeeded(reference, 1299, capture_before=answer.capture_before)
    assert timedelta(days=6) < answer.capture_before - datetime.now(UTC) < timedelta(days=8)
    assert gateway.send(Capture(new_key(), reference, 1299, "EUR")) == Succeeded(reference, 1299)
    first, second = Refund(new_key(), reference, 1000, "EUR"), Refund(new_key(), reference, 299, "EUR")
    refunds = [gateway.send(first), gateway.send(second)]
    assert [refund.amount_minor for refund in refunds] == [1000, 299]
    assert len({reference, *(refund.reference for refund in refunds)}) == 3
    assert [gateway.look_up(first), gateway.look_up(second)] == refunds


def test_less_than_was_authorized_can_be_captured(gateway, authorized):
    capture = Capture(new_key(), authorized, 1000, "EUR")

    assert gateway.send(capture) == Succeeded(authorized, 1000)
    assert gateway.look_up(capture) == Succeeded(authorized, 1000)


def test_more_than_was_authorized_is_declined(gateway, authorized):
    capture = Capture(new_key(), authorized, 1300, "EUR")

    assert isinstance(gateway.send(capture), Declined)
    assert gateway.look_up(capture) == Absent()


@pytest.mark.parametrize(
    ("method", "code"), [(METHOD_DECLINED, "generic_decline"), (METHOD_WITHOUT_FUNDS, "insufficient_funds")]
)
def test_a_declined_card_says_why_and_stays_declined(gateway, method, code):
    request = authorize(method)

    answers = [gateway.send(request), gateway.send(request), gateway.look_up(request)]

    assert [(type(answer), answer.code) for answer in answers] == [(Declined, code)] * 3


def test_a_payer_who_has_to_act_is_sent_somewhere(gateway):
    request = authorize(METHOD_WITH_ACTION)

    answer = gateway.send(request)

    assert isinstance(answer, ActionRequired)
    assert answer.url.startswith("http")
    assert gateway.look_up(request) == answer
    assert isinstance(gateway.send(Capture(new_key(), answer.reference, 1299, "EUR")), Declined)


def test_an_attempt_that_waits_for_its_payer_can_be_voided(gateway):
    reference = gateway.send(authorize(METHOD_WITH_ACTION)).reference
    void = Void(new_key(), reference, "EUR")

    assert gateway.look_up(void) == Absent()
    assert gateway.send(void) == Succeeded(reference, 1299)


def test_the_same_key_has_its_effect_once(gateway):
    request = authorize()
    reference = gateway.send(request).reference
    steps = [request, Capture(new_key(), reference, 1299, "EUR"), Refund(new_key(), reference, 1000, "EUR")]

    for step in steps:
        assert gateway.send(step) == gateway.send(step) == gateway.look_up(step)


def test_a_key_used_for_something_else_crashes_and_changes_nothing(gateway):
    request = authorize()
    answer = gateway.send(request)

    with pytest.raises(KeyReusedError):
        gateway.send(replace(request, amount_minor=1))

    assert gateway.look_up(request) == answer


def test_what_was_never_sent_is_absent(gateway, captured):
    untouched = gateway.send(authorize()).reference

    assert gateway.look_up(authorize()) == Absent()
    assert gateway.look_up(Capture(new_key(), untouched, 1299, "EUR")) == Absent()
    assert gateway.look_up(Void(new_key(), untouched, "EUR")) == Absent()
    assert gateway.look_up(Refund(new_key(), captured, 1, "EUR")) == Absent()
    assert gateway.look_up(Capture(new_key(), "pi_nobody", 1, "EUR")) == Absent()


def test_a_void_lets_go_once_and_the_capture_comes_too_late(gateway, authorized):
    void = Void(new_key(), authorized, "EUR")

    assert gateway.send(void) == gateway.look_up(void) == Succeeded(authorized, 1299)
    assert gateway.send(Void(new_key(), authorized, "EUR")) == Succeeded(authorized, 1299)
    late = gateway.send(Capture(new_key(), authorized, 1299, "EUR"))
    assert (type(late), late.code) == (Declined, "authorization_gone")


def test_a_capture_under_another_key_finds_the_first_one(gateway, captured):
    assert gateway.send(Capture(new_key(), captured, 1299, "EUR")) == Succeeded(captured, 1299)


def test_a_void_after_the_capture_is_declined(gateway, captured):
    void = Void(new_key(), captured, "EUR")

    assert [gateway.send(void).code, gateway.look_up(void).code] == ["already_captured"] * 2


def test_no_more_is_given_back_than_was_taken(gateway, captured):
    refunds = [Refund(new_key(), captured, amount, "EUR") for amount in (1300, 1299, 1)]

    answers = [gateway.send(refund) for refund in refunds]

    assert answers[0].code == "amount_too_large"
    assert answers[1].amount_minor == 1299
    assert answers[2].code == "charge_already_refunded"
    assert gateway.look_up(refunds[0]) == Absent()


def test_nothing_is_given_back_of_what_was_not_taken(gateway, authorized):
    assert gateway.send(Refund(new_key(), authorized, 1, "EUR")).code == "charge_not_refundable"


@pytest.mark.parametrize(
    "request_",
    [
        Capture("k-1", "pi_nobody", 1, "EUR"),
        Void("k-2", "pi_nobody", "EUR"),
        Refund("k-3", "pi_nobody", 1, "EUR"),
    ],
)
def test_a_step_on_an_unknown_payment_is_declined(gateway, request_):
    assert gateway.send(replace(request_, key=new_key())).code == "resource_missing"


def test_sixteen_threads_with_one_key_have_one_effect(gateway):
    request = authorize()
    start = threading.Barrier(16)

    def send(_number):
        start.wait(5)
        return gateway.send(request)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(16)))

    # Stripe turns away who comes while the key is in flight: they are in doubt, not answered twice.
    settled = {answer for answer in answers if not isinstance(answer, InDoubt)}
    assert settled == {gateway.look_up(request)}


# --- The adapter on a gateway that misbehaves ----------------------------------------------------

STEPS = ["create", "capture", "cancel", "refund"]


@pytest.fixture
def step(stripe):
    """Prepare the payment for an operation of the sandbox and return the request that performs it."""

    def prepare(operation):
        if operation == "create":
            return authorize()
        reference = stripe.send(authorize()).reference
        if operation == "refund":
            stripe.send(Capture(new_key(), reference, 1299, "EUR"))
        makers = {
            "capture": partial(Capture, amount_minor=1299),
            "cancel": Void,
            "refund": partial(Refund, amount_minor=500),
        }
        return makers[operation](key=new_key(), reference=reference, currency="EUR")

    return prepare


@pytest.mark.parametrize("operation", STEPS)
@pytest.mark.parametrize("fault", ["lose_answer", "error_after", "reset_after"])
def test_an_effect_whose_answer_is_lost_is_found(sandbox, stripe, step, operation, fault):
    request = step(operation)
    sandbox.faults({"fault": fault, "operation": operation})

    answer = stripe.send(request)

    sandbox.clear_faults()
    assert isinstance(answer, InDoubt)
    found = stripe.look_up(request)
    assert isinstance(found, Succeeded)
    assert found.amount_minor == getattr(request, "amount_minor", 1299)


@pytest.mark.parametrize("operation", STEPS)
@pytest.mark.parametrize("fault", ["error_before", "reset_before"])
def test_a_request_that_had_no_effect_is_in_doubt_then_absent(sandbox, stripe, step, operation, fault):
    request = step(operation)
    sandbox.faults({"fault": fault, "operation": operation})

    answer = stripe.send(request)

    sandbox.clear_faults()
    assert isinstance(answer, InDoubt)
    assert stripe.look_up(request) == Absent()


def test_a_stored_500_says_that_only_a_look_up_can_tell(sandbox, stripe):
    request = authorize()
    sandbox.faults({"fault": "error_after", "operation": "create"})
    stripe.send(request)
    sandbox.clear_faults()

    answer = stripe.send(request)

    assert isinstance(answer, InDoubt)
    assert answer.is_stored
    assert isinstance(stripe.look_up(request), Succeeded)


@pytest.mark.parametrize("operation", STEPS)
def test_garbage_is_in_doubt_until_the_same_key_is_sent_again(sandbox, stripe, step, operation):
    request = step(operation)
    sandbox.faults({"fault": "garbage", "operation": operation})

    answer = stripe.send(request)

    sandbox.clear_faults()
    assert isinstance(answer, InDoubt)
    assert isinstance(stripe.send(request), Succeeded)


@pytest.mark.parametrize("operation", STEPS)
def test_a_slow_gateway_is_in_doubt_after_the_time_limit(sandbox, stripe, step, operation):
    hasty = StripeGateway(name="hasty", url=sandbox.url, secret_key=sandbox.secret_key, read_timeout_s=0.2)
    request = step(operation)
    sandbox.faults({"fault": "slow", "operation": operation, "delay_ms": 1000})

    assert isinstance(hasty.send(request), InDoubt)


@pytest.mark.parametrize("operation", STEPS)
def test_a_throttled_request_was_not_read(sandbox, stripe, step, operation):
    request = step(operation)
    sandbox.faults({"fault": "throttle", "operation": operation})

    answer = stripe.send(request)

    sandbox.clear_faults()
    assert isinstance(answer, Throttled)
    assert answer.retry_after_s is not None
    assert stripe.look_up(request) == Absent()


def test_a_wrong_key_executes_nothing(sandbox):
    stranger = StripeGateway(name="stranger", url=sandbox.url, secret_key="sk_test_wrong")

    assert stranger.send(authorize()) == NotSent("the gateway refused our credentials (HTTP 401)")
    assert isinstance(stranger.look_up(authorize()), NotSent)


def test_a_payer_who_acted_is_seen_by_a_look_up(stripe):
    request = authorize(METHOD_WITH_ACTION)
    action = stripe.send(request)

    httpx.post(action.url, data={"outcome": "succeed"}, follow_redirects=False)

    found = stripe.look_up(request)
    assert (type(found), found.reference, found.amount_minor) == (Succeeded, action.reference, 1299)


def test_a_refund_is_found_among_more_than_a_page(stripe):
    reference = stripe.send(authorize()).reference
    stripe.send(Capture(new_key(), reference, 1299, "EUR"))
    refunds = [Refund(new_key(), reference, 1, "EUR") for _number in range(102)]
    answers = [stripe.send(refund) for refund in refunds]

    assert stripe.look_up(refunds[0]) == answers[0]
    assert stripe.look_up(refunds[-1]) == answers[-1]


def test_the_book_of_the_gateway_names_our_order(sandbox, stripe):
    request = authorize()
    reference = stripe.send(request).reference

    shown = httpx.get(
        f"{sandbox.url}/v1/payment_intents/{reference}",
        headers={"Authorization": f"Bearer {sandbox.secret_key}"},
    ).json()

    assert shown["metadata"] == {
        "order_id": str(request.order_id),
        "payment_id": str(request.payment_id),
        "operation_key": request.key,
    }
