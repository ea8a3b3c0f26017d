"""Held money is let go before it lapses: parked placements are turned round, others are woken."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import Order
from payments.models import Payment
from payments.services import watch_authorizations as watcher
from payments.services.watch_authorizations import (
    OPERATOR,
    Holding,
    Verdict,
    Watched,
    judge,
    watch_authorizations,
)
from payments.states import PaymentStatus
from payments.steps.authorize_payments import LAPSE_MARGIN
from payments.tasks import watch_lapsing_authorizations
from resilience import clock
from resilience.ids import new_id
from resilience.saga import operate
from resilience.saga.models import OperatorAction, Saga
from resilience.saga.query import OpenSaga
from resilience.saga.states import SagaStatus
from tests.conftest import SandboxClient
from tests.orders_kit import books, carry_to_the_end, place, runner, saga_ids, stock, stock_left
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)
SOON = LAPSE_MARGIN - timedelta(minutes=1)
REASON = "nobody looked"


@pytest.fixture(autouse=True)
def _shop(sandbox: SandboxClient) -> None:
    stock(100)


def held_order(*, lapses_in: timedelta = SOON) -> UUID:
    """Carry an order until one tender is authorized and the other waits for its payer; it lapses soon."""
    order_id = place("pm_card_visa", "pm_card_authenticationRequired", quantity=2)
    runner(lease_s=5.0).run(saga_ids([order_id]))
    assert statuses(order_id) == ["authorized", "requires_action"]
    Payment.objects.filter(order_id=order_id, status=PaymentStatus.AUTHORIZED).update(
        capture_before=clock.now() + lapses_in
    )
    return order_id


def statuses(order_id: UUID) -> list[str]:
    rows = Payment.objects.filter(order_id=order_id).order_by("position")
    return list(rows.values_list("status", flat=True))


def park(
    order_id: UUID, *, parked_from: str = "running", due_at: datetime | None = None, **changes: object
) -> Saga:
    """Park the order's placement where it stands, as it is when a step crashes again and again."""
    Saga.objects.filter(business_key=order_id, definition="place_order").update(
        status="parked", parked_from=parked_from, parked_reason=REASON, due_at=due_at, **changes
    )
    return Saga.objects.get(business_key=order_id, definition="place_order")


def state(order_id: UUID) -> list[tuple]:
    return list(
        Saga.objects.filter(business_key=order_id)
        .order_by("definition")
        .values_list("definition", "status", "cursor", "fence", "signals")
    )


def test_a_parked_placement_is_turned_round_and_lets_go_of_the_hold(sandbox: SandboxClient) -> None:
    order_id = held_order()
    saga = park(order_id)
    lapses_at = Payment.objects.get(order_id=order_id, position=0).capture_before
    now = clock.now()

    watched = watch_authorizations(now=now)

    assert watched == Watched(turned_round=1)
    carry_to_the_end([order_id], within_s=30)
    seen = books(order_id, sandbox.orders())
    assert (seen.status, seen.open_authorizations, seen.captured_minor) == ("cancelled", 0, 0)
    assert statuses(order_id) == ["voided", "voided"]
    assert seen.reservations == ("released",)
    assert stock_left() == (100, 0)
    action = OperatorAction.objects.get()
    assert (action.saga_id, action.operator, action.action, action.at) == (
        saga.pk,
        OPERATOR,
        "compensate",
        now,
    )
    assert lapses_at is not None
    assert lapses_at.strftime("%Y-%m-%dT%H:%M:%S") in action.reason


def test_two_watchers_at_once_turn_it_round_once(sandbox: SandboxClient) -> None:
    for _round in range(5):
        order_id = held_order()
        park(order_id)

        watched = at_once([lambda: watch_authorizations(now=clock.now())] * 2)

        assert sum(one.turned_round for one in watched) == 1
        assert sum(one.turned_round + one.woken + one.left for one in watched) == 2
        assert OperatorAction.objects.filter(saga__business_key=order_id).count() == 1
        carry_to_the_end([order_id], within_s=30)
        assert Order.objects.get(pk=order_id).status == "cancelled"
        assert books(order_id, sandbox.orders()).open_authorizations == 0


def test_an_operator_and_a_watcher_at_once_decide_once() -> None:
    order_id = held_order()
    saga = park(order_id)

    def operator() -> object:
        try:
            operate.retry(operate.Instruction(saga.pk, "jane", "the payer called", clock.now()))
        except operate.SagaNotParkedError:
            return "late"
        return "first"

    told, watched = at_once([operator, lambda: watch_authorizations(now=clock.now())])

    assert OperatorAction.objects.count() == 1
    assert (told == "first") is (watched.turned_round == 0)  # type: ignore[union-attr]


@pytest.mark.parametrize("lapses_in", [LAPSE_MARGIN + timedelta(minutes=1), timedelta(minutes=-1)])
def test_a_hold_that_does_not_lapse_soon_or_has_lapsed_is_left(lapses_in: timedelta) -> None:
    order_id = held_order(lapses_in=lapses_in)
    park(order_id)
    before = state(order_id)

    assert watch_authorizations(now=clock.now()) == Watched()

    assert state(order_id) == before
    assert OperatorAction.objects.count() == 0


def test_a_placement_that_still_moves_is_woken_and_bounds_itself(sandbox: SandboxClient) -> None:
    order_id = held_order()
    Saga.objects.update(due_at=clock.now() + timedelta(hours=1))

    watched = watch_authorizations(now=clock.now())

    assert watched == Watched(woken=1)
    saga = Saga.objects.get()
    assert (saga.status, saga.signals) == ("running", 1)
    assert saga.due_at is not None
    assert saga.due_at <= clock.now()
    assert OperatorAction.objects.count() == 0
    carry_to_the_end([order_id], within_s=30)
    assert Order.objects.get(pk=order_id).cancel_reason == "authorization_lapses"
    assert books(order_id, sandbox.orders()).open_authorizations == 0


def test_one_that_is_past_its_pivot_is_left_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    order_id = held_order()
    park(order_id, cursor=3)
    before = state(order_id)

    watched = watch_authorizations(now=clock.now())

    assert watched == Watched(left=1)
    assert state(order_id) == before
    assert OperatorAction.objects.count() == 0
    assert "Held money lapses behind a pivot." in caplog.text


def test_a_parked_cancellation_is_never_turned_round() -> None:
    order_id = held_order()
    park(order_id)
    Saga.objects.create(
        definition="cancel_order",
        version=1,
        business_key=order_id,
        status="parked",
        parked_from="running",
        deadline_at=clock.now() + timedelta(days=1),
        created_at=clock.now(),
    )

    watched = watch_authorizations(now=clock.now())

    assert watched == Watched(turned_round=1, left=1)
    assert [(name, status) for name, status, *_ in state(order_id)] == [
        ("cancel_order", "parked"),
        ("place_order", "compensating"),
    ]


def test_money_that_no_saga_looks_after_is_left_to_the_auditor() -> None:
    order_id = held_order()
    Saga.objects.all().delete()

    assert watch_authorizations(now=clock.now()) == Watched()

    assert statuses(order_id) == ["authorized", "requires_action"]


def test_what_has_ended_is_not_walked_through() -> None:
    park(held_order())
    held_order()
    with connection.cursor() as cursor, CaptureQueriesContext(connection) as queries:
        cursor.execute(_MANY_ENDED_PAYMENTS)
        cursor.execute(_MANY_ENDED_SAGAS)
        cursor.execute("ANALYZE payments_payment")
        cursor.execute("ANALYZE resilience_saga")
        watch_authorizations(now=clock.now())
        [question] = [query["sql"] for query in queries if "MIN(" in query["sql"]]
        cursor.execute(f"EXPLAIN {question}")
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "Seq Scan" not in plan
    for index in ("saga_is_parked", "saga_is_due", "a_tender_has_one_place_in_its_order"):
        assert index in plan


_MANY_ENDED_PAYMENTS = """
INSERT INTO payments_payment (id, order_id, client, position, method, method_type, amount_minor, currency,
    status, captured_minor, refunded_minor, gateway, reference, action_url, decline_code, created_at)
SELECT gen_random_uuid(), gen_random_uuid(), 'shop', 0, 'pm', 'card', 1, 'EUR',
    'voided', 0, 0, '', '', '', '', now()
FROM generate_series(1, 20000)
"""
_MANY_ENDED_SAGAS = """
INSERT INTO resilience_saga (id, definition, version, business_key, status, cursor, attempt, waits, data,
    reason, parked_from, parked_reason, abort_requested, deadline_at, lease_owner, fence, created_at,
    ended_at)
SELECT gen_random_uuid(), 'place_order', 1, gen_random_uuid(), 'completed', 0, 0, 0, '{}', '', '', '', false,
    now(), '', 0, now(), now()
FROM generate_series(1, 20000)
"""


def test_one_watch_looks_at_so_many_and_at_those_first_that_lapse_first(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watcher, "ORDERS_MAX", 1)
    later, sooner = (held_order(lapses_in=timedelta(hours=hours)) for hours in (2, 1))
    park(later)
    park(sooner)

    watch_lapsing_authorizations()

    assert Saga.objects.get(business_key=sooner).status == "compensating"
    assert Saga.objects.get(business_key=later).status == "parked"
    assert "More authorizations lapse than one watch looks at." in caplog.text


def saga(
    status: SagaStatus,
    parked_from: SagaStatus | None = None,
    *,
    definition: str = "place_order",
    due: bool = False,
) -> OpenSaga:
    return OpenSaga(new_id(), definition, 1, new_id(), status, parked_from, due)


PARKED, RUNNING, COMPENSATING = SagaStatus.PARKED, SagaStatus.RUNNING, SagaStatus.COMPENSATING


@pytest.mark.parametrize(
    ("open_saga", "in_doubt", "verdict"),
    [
        (saga(RUNNING, due=True), False, Verdict.WAKE),
        (saga(COMPENSATING, due=True), True, Verdict.WAKE),
        (saga(PARKED, RUNNING), False, Verdict.TURN_ROUND),
        # Parked over another tender's doubt: that is asked about on the way back as well.
        (saga(PARKED, RUNNING, due=True), False, Verdict.TURN_ROUND),
        # This one's own fate is asked for: the answer may be that it is captured.
        (saga(PARKED, RUNNING, due=True), True, Verdict.WAKE),
        # Nobody asks any more: on the way back somebody does.
        (saga(PARKED, RUNNING), True, Verdict.TURN_ROUND),
        (saga(PARKED, COMPENSATING), False, Verdict.LEAVE),
        (saga(PARKED, RUNNING, definition="cancel_order"), False, Verdict.LEAVE),
        (saga(PARKED, RUNNING, definition="of another release"), False, Verdict.LEAVE),
    ],
)
def test_what_is_done_follows_from_the_saga_and_the_doubt(
    open_saga: OpenSaga, in_doubt: bool, verdict: Verdict
) -> None:
    assert judge(open_saga, Holding(open_saga.business_key, clock.now(), in_doubt)) is verdict
