"""What becomes of stored notices: matched, waiting, woken, swept; and each once, whoever handles it."""

from collections.abc import Sequence
from datetime import timedelta
from threading import Lock
from uuid import UUID

import pytest
from django.db import connection, transaction

from payments import notice_store
from payments.events import PaymentActionRequired, PaymentAuthorized
from payments.models import GatewayNotice, Operation, Payment
from payments.notice_store import (
    ConcurrentNoticeMoveError,
    IllegalNoticeMoveError,
    NoticeChange,
    write,
)
from payments.services.handle_notices import WAITS_AT_MOST, Handled, handle_notices
from payments.services.look_again import Observed
from payments.services.sweep_notices import BATCH, PATIENCE, REST_MAX, REST_MIN, sweep_notices
from payments.services.take_notice import take_notice
from payments.states import SETTLED, NoticeStatus, OperationKind, PaymentStatus, Phase
from payments.subscriptions import NOTICES
from payments.tasks import sweep_waiting_notices
from resilience import clock
from resilience.events import Fact, append
from resilience.ids import new_id
from resilience.saga.models import Saga
from resilience.saga.states import TERMINAL, SagaStatus
from tests.events_kit import run_until_idle
from tests.notices_kit import event
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)

GATEWAY = "sandbox-1"


class Observer:
    """Who looks at payments that no saga looks after, in these tests."""

    def __init__(self) -> None:
        self.seen: list[Observed] = []
        self._lock = Lock()

    def __call__(self, observed: Sequence[Observed]) -> None:
        with self._lock:
            self.seen += observed


def make_payment(
    *, reference: str = "pi_1", gateway: str = GATEWAY, status: PaymentStatus = PaymentStatus.PENDING
) -> Payment:
    return Payment.objects.create(
        order_id=new_id(),
        client="shop",
        position=0,
        method="pm_card_visa",
        amount_minor=1299,
        currency="EUR",
        status=status,
        gateway=gateway,
        reference=reference,
        created_at=clock.now(),
    )


def asked_of(payment: Payment, gateway: str) -> None:
    Operation.objects.create(
        payment=payment,
        kind=OperationKind.AUTHORIZE,
        gateway=gateway,
        key=str(new_id()),
        amount_minor=1299,
        phase=Phase.IN_DOUBT,
        created_at=clock.now(),
        in_doubt_since=clock.now(),
    )


def make_saga(
    order_id: UUID, status: SagaStatus = SagaStatus.RUNNING, *, definition: str = "place_order"
) -> Saga:
    return Saga.objects.create(
        definition=definition,
        version=1,
        business_key=order_id,
        status=status,
        due_at=None if status in TERMINAL else clock.now() + timedelta(hours=1),
        deadline_at=clock.now() + timedelta(days=1),
        created_at=clock.now(),
    )


def take(
    type_: str = "payment_intent.succeeded", *, gateway: str = GATEWAY, **options: object
) -> GatewayNotice:
    document = event(type_, **options)  # type: ignore[arg-type]
    assert take_notice(gateway=gateway, document=document, now=clock.now())
    return GatewayNotice.objects.get(event_id=document["id"])


def handle(*notices: GatewayNotice, observe: Observer | None = None) -> Handled:
    return handle_notices(
        notice_ids=[notice.pk for notice in notices], now=clock.now(), observe=observe or Observer()
    )


def stands(notice: GatewayNotice) -> tuple[str, UUID | None]:
    notice.refresh_from_db()
    return notice.status, notice.payment_id


def test_a_notice_finds_its_payment_by_the_reference():
    payment, other = make_payment(reference="pi_1"), make_payment(reference="pi_2")
    notice = take("charge.captured", reference="pi_1", payment_id=other.pk)

    assert handle(notice) == Handled(applied=1)

    assert stands(notice) == ("applied", payment.pk)
    assert notice.handled_at is not None


def test_a_notice_that_is_quicker_than_our_own_call_finds_its_payment_by_our_id():
    payment = make_payment(reference="", gateway="")
    asked_of(payment, GATEWAY)
    notice = take(reference="pi_9", payment_id=payment.pk)

    handle(notice)

    assert stands(notice) == ("applied", payment.pk)


def test_an_account_says_nothing_of_a_payment_that_it_was_never_asked_for():
    payment = make_payment(reference="pi_1", gateway="other")
    asked_of(payment, "other")
    notice = take(reference="pi_1", payment_id=payment.pk)

    assert handle(notice) == Handled(waiting=1)

    assert stands(notice) == ("waiting", None)
    assert notice.detail == "no payment is known under this reference"


@pytest.mark.parametrize("payment_id", ["", "no uuid", "00000000-0000-0000-0000-000000000000", "' OR 1=1"])
def test_an_id_that_is_none_of_ours_waits(payment_id: str):
    make_payment(reference="")
    notice = take(payment_id=payment_id)

    handle(notice)

    assert stands(notice) == ("waiting", None)


def test_a_notice_about_no_charge_is_ignored():
    make_payment(reference="")
    notice = take("customer.created")

    assert handle(notice) == Handled(ignored=1)

    assert stands(notice) == ("ignored", None)


def test_a_notice_wakes_the_sagas_of_its_order_and_leaves_the_looking_to_them():
    payment, observer = make_payment(), Observer()
    waiting, elsewhere = make_saga(payment.order_id), make_saga(new_id())
    ended = make_saga(payment.order_id, SagaStatus.COMPLETED, definition="cancel_order")

    handle(take(), observe=observer)

    for saga in (waiting, elsewhere, ended):
        saga.refresh_from_db()
    assert waiting.due_at <= clock.now()
    assert elsewhere.due_at > clock.now()
    assert ended.due_at is None
    assert observer.seen == []


def test_a_saga_that_is_due_already_is_not_put_off():
    payment = make_payment()
    saga = make_saga(payment.order_id)
    due_at = clock.now() - timedelta(minutes=5)
    Saga.objects.filter(pk=saga.pk).update(due_at=due_at)

    handle(take())

    saga.refresh_from_db()
    assert saga.due_at == due_at


@pytest.mark.parametrize("status", [None, SagaStatus.COMPLETED, SagaStatus.COMPENSATED])
def test_a_payment_that_no_saga_looks_after_is_observed(status: SagaStatus | None):
    payment, observer = make_payment(status=PaymentStatus.VOIDED), Observer()
    if status is not None:
        make_saga(payment.order_id, status)
    notice = take("payment_intent.succeeded")

    handle(notice, observe=observer)

    assert observer.seen == [
        Observed(
            payment_id=payment.pk,
            order_id=payment.order_id,
            notice_id=notice.pk,
            gateway=notice.gateway,
            reference=notice.reference,
            is_reflected=False,
            is_beyond_sagas=True,
        )
    ]


@pytest.mark.parametrize(("is_due", "is_observed"), [(True, False), (False, True)])
def test_a_parked_saga_looks_after_its_payment_only_while_it_still_asks(is_due: bool, is_observed: bool):
    payment, observer = make_payment(status=PaymentStatus.AUTHORIZED), Observer()
    saga = make_saga(payment.order_id, SagaStatus.PARKED)
    if not is_due:
        Saga.objects.filter(pk=saga.pk).update(due_at=None)

    handle(take(), observe=observer)

    assert bool(observer.seen) is is_observed


@pytest.mark.parametrize("status", PaymentStatus)
def test_only_an_open_payment_is_left_to_the_sagas_of_its_order(status: PaymentStatus):
    """They ask no more about a settled one: what befalls it would be told to nobody."""
    captured_minor = 1299 if status in ("captured", "refunded") else 0
    payment, observer = make_payment(status=PaymentStatus.PENDING), Observer()
    Payment.objects.filter(pk=payment.pk).update(
        status=status,
        captured_minor=captured_minor,
        refunded_minor=1299 if status == "refunded" else 0,
    )
    make_saga(payment.order_id)

    handle(take("charge.a_type_of_next_year"), observe=observer)

    assert bool(observer.seen) is (status in SETTLED)


@pytest.mark.parametrize("type_", ["charge.refunded", "charge.dispute.created", "refund.created"])
def test_what_follows_a_capture_is_observed_though_its_answer_is_not_written_yet(type_: str):
    """The saga that captures ends with that answer, and looks no more."""
    payment, observer = make_payment(status=PaymentStatus.AUTHORIZED), Observer()
    make_saga(payment.order_id)

    handle(take(type_), observe=observer)

    assert len(observer.seen) == 1


def test_a_payment_without_a_charge_is_not_looked_for_under_no_name():
    payment, observer = make_payment(reference="", status=PaymentStatus.VOIDED), Observer()
    notice = take("charge.updated_some_day", reference="", payment_id=payment.pk)

    handle(notice, observe=observer)

    assert stands(notice) == ("applied", payment.pk)
    assert observer.seen == []


def test_what_is_known_already_is_not_observed():
    make_payment(status=PaymentStatus.AUTHORIZED)
    observer, notice = Observer(), take("payment_intent.amount_capturable_updated")

    handle(notice, observe=observer)

    assert stands(notice)[0] == "applied"
    assert observer.seen == []


def test_a_handled_notice_is_left_alone():
    make_payment(status=PaymentStatus.VOIDED)
    observer, notice = Observer(), take()
    handle(notice, observe=observer)

    assert handle(notice, observe=observer) == Handled()
    assert len(observer.seen) == 1


def test_an_observer_that_fails_undoes_the_batch():
    make_payment(status=PaymentStatus.VOIDED)
    notice = take()

    def fail(_observed: Sequence[Observed]) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        handle_notices(notice_ids=[notice.pk], now=clock.now(), observe=fail)

    assert stands(notice) == ("received", None)


def test_the_subscription_handles_what_comes_in():
    payment = make_payment()
    known, unknown, foreign = take(), take(reference="pi_unknown"), take("payout.paid")

    run_until_idle(NOTICES)

    assert stands(known) == ("applied", payment.pk)
    assert stands(unknown) == ("waiting", None)
    assert stands(foreign) == ("ignored", None)


@pytest.mark.parametrize("event_class", [PaymentAuthorized, PaymentActionRequired])
def test_a_notice_that_waits_is_applied_when_its_payment_becomes_known(event_class: type):
    notice, other = take(reference="pi_1"), take(reference="pi_other")
    run_until_idle(NOTICES)
    assert stands(notice) == ("waiting", None)
    payment = make_payment(reference="pi_1")

    ids = (payment.pk, payment.order_id)
    told = (
        PaymentAuthorized(*ids, 1299, "EUR", GATEWAY, "pi_1")
        if event_class is PaymentAuthorized
        else PaymentActionRequired(*ids, "https://example.org", GATEWAY, "pi_1")
    )
    with transaction.atomic():
        append([Fact(payment.pk, told)], occurred_at=clock.now())
    run_until_idle(NOTICES)

    assert stands(notice) == ("applied", payment.pk)
    assert stands(other) == ("waiting", None)


def aged(notice: GatewayNotice, *, received: timedelta, tried: timedelta | None) -> None:
    now = clock.now()
    GatewayNotice.objects.filter(pk=notice.pk).update(
        received_at=now - received, handled_at=None if tried is None else now - tried
    )


@pytest.mark.parametrize(
    ("received", "tried", "is_due"),
    [
        (timedelta(seconds=61), timedelta(seconds=59), False),
        (timedelta(seconds=62), timedelta(seconds=61), True),
        (timedelta(minutes=19), timedelta(minutes=9), False),  # had waited ten, rests ten
        (timedelta(minutes=21), timedelta(minutes=11), True),
        (timedelta(hours=40), timedelta(hours=5), False),
        (timedelta(hours=40), timedelta(hours=7), True),  # never longer than six
    ],
)
def test_a_waiting_notice_is_tried_less_and_less_often(received: timedelta, tried: timedelta, is_due: bool):
    notice = take()
    handle(notice)
    aged(notice, received=received, tried=tried)
    payment = make_payment()

    sweep_waiting_notices()

    assert stands(notice) == (("applied", payment.pk) if is_due else ("waiting", None))


def test_a_notice_is_nobodys_after_three_days():
    notice = take()
    handle(notice)
    aged(notice, received=WAITS_AT_MOST + timedelta(minutes=1), tried=timedelta(hours=6))

    assert sweep_notices(now=clock.now(), observe=Observer()) == Handled(ignored=1)

    assert stands(notice) == ("ignored", None)
    assert notice.detail == "nobody's for three days"


def test_a_notice_that_nobody_handled_is_swept_after_a_while():
    left, fresh = take(), take()
    payment = make_payment()
    aged(left, received=PATIENCE + timedelta(seconds=1), tried=None)

    assert sweep_notices(now=clock.now(), observe=Observer()) == Handled(applied=1)

    assert stands(left) == ("applied", payment.pk)
    assert stands(fresh) == ("received", None)


def test_a_sweep_takes_all_that_is_due_in_batches():
    GatewayNotice.objects.bulk_create(
        GatewayNotice(
            gateway=GATEWAY, event_id=f"evt_{number}", type="x", body={},
            received_at=clock.now() - PATIENCE * 2,
        )
        for number in range(BATCH + 7)
    )  # fmt: skip

    assert sweep_notices(now=clock.now(), observe=Observer()) == Handled(ignored=BATCH + 7)
    assert sweep_notices(now=clock.now(), observe=Observer()) == Handled()


def test_handlers_and_sweeps_at_once_apply_each_notice_once():
    notices = []
    for number in range(30):
        make_payment(reference=f"pi_{number}", status=PaymentStatus.VOIDED)
        notices.append(take(reference=f"pi_{number}"))
    GatewayNotice.objects.update(received_at=clock.now() - PATIENCE * 2)
    observer, ids, now = Observer(), [notice.pk for notice in notices], clock.now()

    handled = at_once(
        [lambda: handle_notices(notice_ids=ids, now=now, observe=observer)] * 4
        + [lambda: handle_notices(notice_ids=ids[::-1], now=now, observe=observer)] * 4
        + [lambda: sweep_notices(now=now, observe=observer)] * 4
    )

    assert sum(handled, Handled()) == Handled(applied=30)
    assert sorted(one.notice_id for one in observer.seen) == sorted(ids)
    assert set(GatewayNotice.objects.values_list("status", flat=True)) == {"applied"}


@pytest.mark.parametrize("target", NoticeStatus)
@pytest.mark.parametrize("start", NoticeStatus)
def test_a_notice_moves_along_its_edges_only(start: NoticeStatus, target: NoticeStatus):
    notice = take()
    GatewayNotice.objects.filter(pk=notice.pk).update(status=start)
    allowed = {
        NoticeStatus.RECEIVED: {"received", "waiting", "applied", "ignored"},
        NoticeStatus.WAITING: {"waiting", "applied", "ignored"},
        NoticeStatus.APPLIED: {"applied"},
        NoticeStatus.IGNORED: {"ignored"},
    }[start]

    def move() -> None:
        write([NoticeChange(notice.pk, start, target, "")], now=clock.now())

    if target in allowed:
        move()
        assert stands(notice)[0] == target
    else:
        with pytest.raises(IllegalNoticeMoveError):
            move()
        assert stands(notice)[0] == start


def test_a_notice_that_changed_meanwhile_is_not_written_over():
    notice = take()
    GatewayNotice.objects.filter(pk=notice.pk).update(status=NoticeStatus.APPLIED)

    with pytest.raises(ConcurrentNoticeMoveError), transaction.atomic():
        write([NoticeChange(notice.pk, NoticeStatus.RECEIVED, NoticeStatus.IGNORED, "")], now=clock.now())

    assert stands(notice)[0] == "applied"


def test_the_sweep_reads_open_notices_only():
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            f"EXPLAIN {notice_store._CLAIM_OVERDUE}",
            {
                "now": clock.now(),
                "patience": PATIENCE,
                "rest_min": REST_MIN,
                "rest_max": REST_MAX,
                "limit": 1,
            },
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "notices_to_handle" in plan
