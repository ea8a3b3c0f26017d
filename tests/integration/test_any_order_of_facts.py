"""Whatever the order in which a gateway's facts happen and are told, the same state is reached in the end."""

from collections.abc import Iterator
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payments.gateways import registry
from payments.ledger.balances import balances
from payments.models import Dispute, GatewayNotice, Payment, Refund
from payments.services.take_notice import take_notice
from payments.subscriptions import NOTICES
from payments.testing import FakeGateway
from resilience.clock import now
from resilience.events.models import LoggedEvent
from resilience.saga.models import Saga
from tests.events_kit import run_until_idle
from tests.notices_kit import event
from tests.orders_kit import carry_to_the_end, paid, runner, stock

pytestmark = pytest.mark.django_db(transaction=True)

# What happens at the gateway, in this order, and what it tells of each.
FACTS = (
    ("charge.refunded", lambda gateway, reference: gateway.bank.refund_by_hand(reference, 300)),
    ("charge.dispute.created", lambda gateway, reference: gateway.bank.dispute(reference, 200)),
    ("refund.created", lambda gateway, reference: gateway.bank.refund_by_hand(reference, 100)),
    (
        "charge.dispute.closed",
        lambda gateway, reference: gateway.bank.close_dispute(
            gateway.bank.book[reference].disputes[0].reference, is_won=True
        ),
    ),
)


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    fake = FakeGateway(name=registry.gateway_names()[0])
    registry.install(fake)
    yield fake
    registry.reset()


def happen_and_be_told(gateway: FakeGateway, schedule: list[tuple[str, int]]) -> tuple:
    """Carry out a schedule of ("happen", n) and ("tell", n) on a new paid order; return how it all ends."""
    stock(1)
    order_id, payment = paid()
    for what, number in schedule:
        kind, happen = FACTS[number]
        if what == "happen":
            happen(gateway, payment.reference)
            continue
        notice = event(kind, reference=payment.reference, event_id=f"evt_{payment.pk}_{number}")
        take_notice(gateway=gateway.name, document=notice, now=now())
        run_until_idle(NOTICES)
        look_around()
    look_around()
    carry_to_the_end([order_id], within_s=20)
    return state_of(Payment.objects.get(pk=payment.pk))


def look_around() -> None:
    """Carry the observations that were begun."""
    worker = runner(lease_s=5.0)
    while ids := list(Saga.objects.filter(ended_at=None).values_list("id", flat=True)):
        worker.run(ids)


def state_of(payment: Payment) -> tuple:
    refunds = Refund.objects.filter(payment=payment).order_by("amount_minor")
    disputes = Dispute.objects.filter(payment=payment)
    told = LoggedEvent.objects.filter(aggregateid=payment.pk).values_list("type", flat=True)
    return (
        payment.status,
        payment.captured_minor,
        payment.refunded_minor,
        payment.refund_reserved_minor,
        [(row.amount_minor, row.status) for row in refunds],
        [(row.amount_minor, row.status) for row in disputes],
        sorted(told),
    )


EXPECTED = (
    "captured",
    1000,
    400,
    0,
    [(100, "succeeded"), (300, "succeeded")],
    [(200, "won")],
    [
        "payment.authorized",
        "payment.captured",
        "payment.dispute_closed",
        "payment.disputed",
        "payment.refunded",
        "payment.refunded",
    ],
)


@pytest.mark.parametrize("order", list(permutations(range(len(FACTS)))), ids=str)
def test_every_permutation_of_what_is_told_ends_in_the_same_state(
    order: tuple[int, ...], gateway: FakeGateway
) -> None:
    happened = [("happen", number) for number in range(len(FACTS))]

    assert happen_and_be_told(gateway, [*happened, *(("tell", number) for number in order)]) == EXPECTED

    clearing = {line.account: line.balance_minor for line in balances().lines}
    assert clearing[f"clearing:{gateway.name}"] == 600


@st.composite
def schedules(draw: st.DrawFn) -> list[tuple[str, int]]:
    """Facts happen in their order; each is told some time after, perhaps twice, in any order."""
    schedule: list[tuple[str, int]] = []
    waiting: list[int] = []
    for number in range(len(FACTS)):
        schedule.append(("happen", number))
        waiting += [number] * draw(st.integers(1, 2))
        while waiting and draw(st.booleans()):
            schedule.append(("tell", waiting.pop(draw(st.integers(0, len(waiting) - 1)))))
    rest = draw(st.permutations(waiting))
    return [*schedule, *(("tell", number) for number in rest)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=schedules())
def test_every_interleaving_of_what_happens_and_is_told_ends_in_the_same_state(
    schedule: list[tuple[str, int]], gateway: FakeGateway
) -> None:
    assert happen_and_be_told(gateway, schedule) == EXPECTED

    assert not GatewayNotice.objects.exclude(status="applied").exists()
