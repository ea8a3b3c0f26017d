"""Refunds: never more than was captured, each once, whoever asks and whatever is lost.

The danger: two refunds that are each right and together give back more than was taken.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import httpx
import pytest
from django.db import transaction
from django.db.models import F

from orders.models import Order
from orders.services.cancel_order import cancel_order
from orders.subscriptions import show_refunds
from payments.errors import NothingToRefundError, PaymentNotFoundError, RefundTooLargeError
from payments.gateways import registry
from payments.gateways.base import Answer, Declined, Processing, Refund, Request, Succeeded
from payments.models import Operation, Payment
from payments.models import Refund as RefundRow
from payments.services.request_refund import request_refund
from payments.steps.release_refunds import COULD_NOT_BE_MADE
from payments.testing import Trouble
from resilience.clock import now
from resilience.events.models import LoggedEvent
from resilience.events.reading import history_of
from resilience.saga import operate
from resilience.saga.models import Saga
from tests.conftest import SandboxClient
from tests.fragile_gateway import Fragile
from tests.orders_kit import (
    CLIENT,
    carry_once,
    carry_to_the_end,
    carry_until,
    have_ended,
    order_status,
    paid,
    payments,
    refund,
    runner,
    saga_ids,
    stock,
    stock_left,
)
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)

END_WITHIN_S = 30
ASKING = 20


class Meeting(Fragile):
    """Answers refunds only when `meets` of them are there, so that their answers come at one moment.

    `meanwhile` happens before the next refund reaches it.
    """

    def __init__(self, *, name: str) -> None:
        super().__init__(name=name)
        self.meets: Barrier | None = None
        self.meanwhile: Callable[[], None] | None = None

    def send(self, request: Request) -> Answer:
        if self.meanwhile and isinstance(request, Refund):
            self.meanwhile()
        answer = super().send(request)
        if self.meets and isinstance(request, Refund):
            self.meets.wait(10)
        return answer


@pytest.fixture
def gateway(sandbox: SandboxClient) -> Iterator[Meeting]:
    adapter = Meeting(name=sandbox.name)
    registry.install(adapter)
    stock(2)
    yield adapter
    registry.reset()


def amounts(payment: Payment) -> tuple[str, int, int, int]:
    """Return status, captured, refunded and reserved."""
    payment.refresh_from_db()
    return payment.status, payment.captured_minor, payment.refunded_minor, payment.refund_reserved_minor


def refunds_of(payment: Payment) -> list[tuple[int, str, str]]:
    return list(payment.refunds.order_by("created_at").values_list("amount_minor", "source", "status"))


def told(payment: Payment) -> Counter[str]:
    return Counter(LoggedEvent.objects.filter(aggregateid=payment.id).values_list("type", flat=True))


# --- Full, partial, several ---------------------------------------------------------------------


@pytest.mark.parametrize("amount_minor", [None, 1000])
def test_all_of_a_payment_is_given_back(gateway: Meeting, amount_minor: int | None) -> None:
    order_id, payment = paid()

    refund_id = refund(payment, amount_minor)

    assert amounts(payment) == ("captured", 1000, 0, 1000)
    carry_to_the_end([refund_id], within_s=END_WITHIN_S)
    assert amounts(payment) == ("refunded", 1000, 1000, 0)
    assert refunds_of(payment) == [(1000, "request", "succeeded")]
    assert gateway.given_back_minor == 1000
    assert order_status(order_id) == "refunded"
    assert told(payment)["payment.refunded"] == 1
    (row,) = payment.refunds.all()
    assert row.reference == gateway.book[payment.reference].refunds[0].reference


def test_an_order_shows_what_is_refunded_of_it_bit_by_bit(gateway: Meeting) -> None:
    order_id, payment = paid()
    seen = [order_status(order_id)]

    for amount_minor in (1, 299, 700):
        carry_to_the_end([refund(payment, amount_minor)], within_s=END_WITHIN_S)
        seen.append(order_status(order_id))

    assert seen == ["confirmed", "partially_refunded", "partially_refunded", "refunded"]
    assert amounts(payment) == ("refunded", 1000, 1000, 0)
    assert gateway.given_back_minor == 1000
    refunded = LoggedEvent.objects.filter(aggregateid=order_id, type="order.refunded").order_by("sequence")
    assert [event.payload["refunded_minor"] for event in refunded] == [1, 300, 1000]
    assert stock_left() == (1, 0)  # sold: goods do not come back with the money


def test_of_handlers_at_once_no_older_sum_comes_last(gateway: Meeting) -> None:
    order_id, payment = paid()
    heard = next(
        replay for replay in history_of("order", order_id, limit=10) if replay.type == "order.confirmed"
    )

    def refund_one_and_tell() -> None:
        # As the booking of a refund and a handler that hears of it; replays hear of it at any time.
        Payment.objects.filter(pk=payment.pk).update(refunded_minor=F("refunded_minor") + 1)
        with transaction.atomic():
            show_refunds([heard])

    at_once([refund_one_and_tell] * 20)

    told_of = LoggedEvent.objects.filter(aggregateid=order_id, type="order.refunded").order_by("sequence")
    sums = [event.payload["refunded_minor"] for event in told_of]
    assert Order.objects.get(pk=order_id).refunded_minor == sums[-1] == 20
    assert sums == sorted(set(sums))


def test_an_order_of_two_tenders_is_refunded_when_both_are(gateway: Meeting) -> None:
    order_id, first = paid("pm_card_visa", "pm_card_mastercard")
    second = payments(order_id)[1]

    carry_to_the_end([refund(first)], within_s=END_WITHIN_S)
    assert order_status(order_id) == "partially_refunded"
    carry_to_the_end([refund(second)], within_s=END_WITHIN_S)

    assert order_status(order_id) == "refunded"
    assert [amounts(payment) for payment in (first, second)] == [("refunded", 500, 500, 0)] * 2


def test_what_is_not_there_is_not_given_back(gateway: Meeting) -> None:
    _order_id, payment = paid()
    refund(payment, 600)
    before = amounts(payment)

    with pytest.raises(RefundTooLargeError) as too_large:
        refund(payment, 401)
    refund(payment, 400)
    with pytest.raises(NothingToRefundError):
        refund(payment)
    with pytest.raises(PaymentNotFoundError):
        request_refund(client="other", payment_id=payment.id, amount_minor=1, reason="", now=now())

    assert before == ("captured", 1000, 0, 600)
    assert too_large.value.facts == {"left": 400}
    assert amounts(payment) == ("captured", 1000, 0, 1000)
    assert refunds_of(payment) == [(600, "request", "pending"), (400, "request", "pending")]
    assert Saga.objects.filter(definition="refund_payment").count() == 2
    assert gateway.refund_keys == []


# --- At the same moment -------------------------------------------------------------------------


def test_of_twenty_who_want_more_than_half_one_gets_it(gateway: Meeting) -> None:
    _order_id, payment = paid()

    def ask() -> object:
        try:
            return refund(payment, 600)
        except RefundTooLargeError as error:
            return type(error)

    answers = at_once([ask] * ASKING)

    (refund_id,) = [answer for answer in answers if isinstance(answer, UUID)]
    assert answers.count(RefundTooLargeError) == ASKING - 1
    assert amounts(payment) == ("captured", 1000, 0, 600)
    assert refunds_of(payment) == [(600, "request", "pending")]
    assert list(Saga.objects.filter(definition="refund_payment").values_list("business_key", flat=True)) == [
        refund_id
    ]


def _carrying(refund_id: UUID) -> Callable[[], object]:
    ids = saga_ids([refund_id])
    return lambda: runner(lease_s=10, name=f"runner of {refund_id}").run(ids)


@pytest.mark.parametrize("parts", [(400, 600), (100, 200, 300, 400), (1, 2, 3)])
def test_refunds_that_settle_at_one_moment_add_up(gateway: Meeting, parts: tuple[int, ...]) -> None:
    order_id, payment = paid()
    refund_ids = [refund(payment, part) for part in parts]
    gateway.meets = Barrier(len(parts))

    at_once([_carrying(refund_id) for refund_id in refund_ids])
    gateway.meets = None
    carry_to_the_end(refund_ids, within_s=END_WITHIN_S)

    status = "refunded" if sum(parts) == 1000 else "captured"
    assert amounts(payment) == (status, 1000, sum(parts), 0)
    assert gateway.given_back_minor == sum(parts)
    assert len(gateway.refund_keys) == len(parts)
    assert told(payment)["payment.refunded"] == len(parts)
    assert order_status(order_id) == ("refunded" if sum(parts) == 1000 else "partially_refunded")


def test_refunds_of_one_batch_add_up(gateway: Meeting) -> None:
    _order_id, payment = paid()
    refund_ids = [refund(payment, part) for part in (400, 600)]
    gateway.meets = Barrier(2)

    runner(lease_s=10).run(saga_ids(refund_ids))

    assert have_ended(refund_ids)
    assert amounts(payment) == ("refunded", 1000, 1000, 0)
    assert gateway.given_back_minor == 1000
    assert len(gateway.refund_keys) == 2


# --- Nobody knows -------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [Trouble.ANSWER_LOST, Trouble.REQUEST_LOST, Trouble.NOT_SENT])
def test_a_lost_answer_gives_the_money_back_once(gateway: Meeting, trouble: Trouble) -> None:
    _order_id, payment = paid()
    gateway.plan(Refund, trouble, trouble)
    refund_id = refund(payment, 600)

    carry_once([refund_id])

    assert amounts(payment) == ("captured", 1000, 0, 600)
    assert (payment.in_doubt_since is None) is (trouble is Trouble.NOT_SENT)
    carry_to_the_end([refund_id], within_s=END_WITHIN_S)
    assert amounts(payment) == ("captured", 1000, 600, 0)
    assert payment.in_doubt_since is None
    assert gateway.given_back_minor == 600
    assert len(set(gateway.refund_keys)) == 1


@pytest.mark.parametrize(
    "answer", [Succeeded("re_1", 100), Declined("charge_disputed", "no"), Processing("re_1")]
)
def test_the_end_of_one_refund_does_not_end_the_doubt_about_another(gateway: Meeting, answer: Answer) -> None:
    _order_id, payment = paid()
    gateway.plan(Refund, Trouble.REQUEST_LOST, answer)
    in_doubt, other = refund(payment, 600), refund(payment, 100)
    carry_once([in_doubt])
    payment.refresh_from_db()
    since = payment.in_doubt_since

    carry_once([other])

    payment.refresh_from_db()
    assert since is not None
    assert payment.in_doubt_since == since


def test_a_refund_that_is_on_its_way_is_waited_for(sandbox: SandboxClient) -> None:
    stock(1)
    order_id, payment = paid("pm_card_pendingRefund")
    httpx.post(f"{sandbox.url}/_config", json={"refund_clears_after_s": 1.0}).raise_for_status()
    refund_id = refund(payment, 600)

    carry_once([refund_id])

    assert amounts(payment) == ("captured", 1000, 0, 600)
    assert payment.in_doubt_since is None
    assert refunds_of(payment) == [(600, "request", "pending")]
    assert order_status(order_id) == "confirmed"
    carry_until([refund_id], lambda: have_ended([refund_id]), within_s=END_WITHIN_S)
    assert amounts(payment) == ("captured", 1000, 600, 0)
    assert order_status(order_id) == "partially_refunded"
    rows = sandbox.rows("SELECT amount, status FROM refunds WHERE order_id = ?", str(order_id))
    assert [tuple(row) for row in rows] == [(600, "succeeded")]


# --- No -----------------------------------------------------------------------------------------


def test_a_refund_that_is_refused_gives_its_reservation_back(gateway: Meeting) -> None:
    order_id, payment = paid()
    gateway.plan(Refund, Declined("charge_disputed", "It was charged back."))
    refund_id = refund(payment, 600)

    carry_to_the_end([refund_id], within_s=END_WITHIN_S)

    assert amounts(payment) == ("captured", 1000, 0, 0)
    row = RefundRow.objects.get(pk=refund_id)
    assert (row.status, row.failure_code) == ("failed", "charge_disputed")
    assert Saga.objects.get(business_key=refund_id).status == "compensated"
    assert told(payment)["payment.refund_failed"] == 1
    assert order_status(order_id) == "confirmed"
    carry_to_the_end([refund(payment)], within_s=END_WITHIN_S)
    assert amounts(payment) == ("refunded", 1000, 1000, 0)


def past_the_deadline() -> Any:
    return now() + timedelta(days=31)


def test_a_refund_that_could_not_be_asked_for_in_time_is_let_go(gateway: Meeting) -> None:
    _order_id, payment = paid()
    gateway.is_away = True
    refund_id = refund(payment, 600)
    carry_once([refund_id])

    carry_once([refund_id], clock=past_the_deadline)
    carry_once([refund_id])

    assert Saga.objects.get(business_key=refund_id).status == "compensated"

    assert amounts(payment) == ("captured", 1000, 0, 0)
    row = RefundRow.objects.get(pk=refund_id)
    assert (row.status, row.failure_code) == ("failed", COULD_NOT_BE_MADE)
    assert list(row.operations.values_list("phase", "outcome")) == [("settled", "abandoned")]
    assert told(payment)["payment.refund_failed"] == 1
    assert gateway.given_back_minor == 0


def test_a_refund_in_doubt_is_asked_about_past_its_deadline(gateway: Meeting) -> None:
    _order_id, payment = paid()
    refund_id = refund(payment, 600)
    gateway.is_silent = True
    for _attempt in range(5):
        carry_once([refund_id], clock=past_the_deadline)
    assert amounts(payment) == ("captured", 1000, 0, 600)

    gateway.is_silent = False
    carry_once([refund_id])

    assert amounts(payment) == ("captured", 1000, 600, 0)
    assert gateway.given_back_minor == 600


@pytest.mark.parametrize("trouble", [Trouble.ANSWER_LOST, Trouble.REQUEST_LOST])
def test_a_refund_in_doubt_that_an_operator_turns_round_is_asked_about_first(
    gateway: Meeting, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    _order_id, payment = paid()
    refund_id = refund(payment, 600)
    gateway.plan(Refund, trouble)
    carry_once([refund_id])
    # As after so many questions that a person was told.
    Saga.objects.filter(business_key=refund_id).update(status="parked", parked_from="running")
    saga_id = Saga.objects.get(business_key=refund_id).id

    operate.compensate(operate.Instruction(saga_id, "olga", "the payer waits", now()))
    carry_once([refund_id])
    has_been_made = trouble is Trouble.ANSWER_LOST
    if not has_been_made:
        # Not found so soon is no proof: the amount stays reserved until it is.
        assert amounts(payment) == ("captured", 1000, 0, 600)
        monkeypatch.setattr("payments.steps.exchange.READS_LAG_MAX", timedelta(0))
    carry_to_the_end([refund_id], within_s=END_WITHIN_S)

    assert amounts(payment) == ("captured", 1000, 600 if has_been_made else 0, 0)
    assert gateway.given_back_minor == (600 if has_been_made else 0)
    assert len(gateway.refund_keys) == 1
    assert RefundRow.objects.get(pk=refund_id).status == ("succeeded" if has_been_made else "failed")


def test_a_refund_that_is_being_asked_for_when_an_operator_turns_it_round_is_not_let_go(
    gateway: Meeting,
) -> None:
    _order_id, payment = paid()
    refund_id = refund(payment, 400)
    gateway.plan(Refund, Trouble.REQUEST_LOST)
    carry_once([refund_id])
    Operation.objects.filter(refund_id=refund_id).update(sent_at=now() - timedelta(minutes=10))
    Saga.objects.filter(business_key=refund_id).update(
        status="parked", parked_from="running", parked_reason="in doubt"
    )

    def turn_round() -> None:
        gateway.meanwhile = None
        saga_id = Saga.objects.get(business_key=refund_id).id
        operate.compensate(operate.Instruction(saga_id, "olga", "the payer waits", now()))
        carry_once([refund_id])
        carry_once([refund_id])

    # The worker that asks has looked and found nothing; its request is on its way.
    gateway.meanwhile = turn_round
    carry_once([refund_id])

    assert gateway.given_back_minor == 400
    assert amounts(payment) == ("captured", 1000, 0, 400)
    carry_to_the_end([refund_id], within_s=END_WITHIN_S)
    assert amounts(payment) == ("captured", 1000, 400, 0)


# --- Beside a cancellation ----------------------------------------------------------------------


def test_a_cancellation_waits_for_a_refund_and_returns_the_rest(gateway: Meeting) -> None:
    order_id, payment = paid()
    refund_id = refund(payment, 300)
    gateway.is_silent = True
    carry_once([refund_id])
    assert cancel_order(client=CLIENT, order_id=order_id, now=now())

    for _attempt in range(3):
        carry_once([order_id])

    assert refunds_of(payment) == [(300, "request", "pending")]
    assert Order.objects.get(pk=order_id).status == "confirmed"
    gateway.is_silent = False
    carry_to_the_end([order_id, refund_id], within_s=END_WITHIN_S)
    assert refunds_of(payment) == [(300, "request", "succeeded"), (700, "return", "succeeded")]
    assert amounts(payment) == ("refunded", 1000, 1000, 0)
    assert gateway.given_back_minor == 1000
    assert order_status(order_id) == "cancelled"
    assert stock_left() == (2, 0)


@pytest.mark.parametrize("comes_first", ["refund", "cancellation"])
def test_a_refund_and_a_cancellation_at_one_moment_give_back_everything_once(
    gateway: Meeting, comes_first: str
) -> None:
    order_id, payment = paid()

    def ask() -> UUID | None:
        try:
            return refund(payment, 300)
        except (NothingToRefundError, RefundTooLargeError):
            return None

    def cancel() -> None:
        cancel_order(client=CLIENT, order_id=order_id, now=now())
        runner(lease_s=10, name="canceller").run(saga_ids([order_id]))

    calls = [ask, cancel] if comes_first == "refund" else [cancel, ask]
    refund_ids = [answer for answer in at_once(calls) if answer]
    carry_to_the_end([order_id, *refund_ids], within_s=END_WITHIN_S)

    assert amounts(payment) == ("refunded", 1000, 1000, 0)
    assert gateway.given_back_minor == 1000
    assert order_status(order_id) == "cancelled"


def test_a_return_that_is_refused_is_shown_to_an_operator(gateway: Meeting) -> None:
    order_id, payment = paid()
    gateway.plan(Refund, Declined("charge_disputed", "It was charged back."))
    assert cancel_order(client=CLIENT, order_id=order_id, now=now())

    for _attempt in range(3):
        carry_once([order_id])

    assert Saga.objects.get(definition="cancel_order").status == "parked"
    assert amounts(payment) == ("captured", 1000, 0, 0)
    assert refunds_of(payment) == [(1000, "return", "failed")]
    assert Operation.objects.filter(kind="refund").count() == 1
