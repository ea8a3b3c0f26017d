"""A status moves along its edge table, and the database knows the same states."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import pytest
from django.db import connection

from orders import store
from orders.models import Order
from orders.states import EDGES as ORDER_EDGES
from orders.states import OrderStatus
from payments.states import EDGES as PAYMENT_EDGES
from payments.states import NOTICE_EDGES, NoticeStatus, PaymentStatus
from payments.states import TERMINAL as PAYMENT_TERMINAL
from resilience.saga.states import ACTIVE as SAGA_ACTIVE
from resilience.saga.states import EDGES as SAGA_EDGES
from resilience.saga.states import TERMINAL as SAGA_TERMINAL
from resilience.saga.states import SagaStatus


@dataclass(frozen=True)
class Table:
    """A status, and where the database repeats it."""

    states: type[StrEnum]
    edges: dict
    first: StrEnum
    terminal: frozenset
    constraint: str


TABLES = [
    Table(
        OrderStatus,
        ORDER_EDGES,
        OrderStatus.PENDING,
        frozenset({OrderStatus.CANCELLED}),
        "an_order_status_is_known",
    ),
    Table(PaymentStatus, PAYMENT_EDGES, PaymentStatus.PENDING, PAYMENT_TERMINAL, "a_payment_status_is_known"),
    Table(
        NoticeStatus,
        NOTICE_EDGES,
        NoticeStatus.RECEIVED,
        frozenset({NoticeStatus.APPLIED, NoticeStatus.IGNORED}),
        "a_notice_status_is_known",
    ),
    Table(SagaStatus, SAGA_EDGES, SagaStatus.RUNNING, SAGA_TERMINAL, "a_saga_status_is_known"),
]
NOW = datetime(2026, 3, 1, tzinfo=UTC)
# The store's statements name the statuses that they move from; each is tried from every status.
MOVES: dict[OrderStatus, Callable[[UUID], object]] = {
    OrderStatus.REQUIRES_ACTION: lambda order_id: store.require_action([order_id]),
    OrderStatus.CONFIRMED: lambda order_id: store.confirm([order_id], now=NOW),
    OrderStatus.CANCELLED: lambda order_id: store.cancel({order_id: "trial"}, now=NOW),
}
each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.states.__name__)


def _unreachable(edges: dict, first: StrEnum) -> set:
    reached, frontier = {first}, {first}
    while frontier:
        frontier = {target for state in frontier for target in edges[state]} - reached
        reached |= frontier
    return set(edges) - reached


@each_table
def test_every_state_has_its_row_and_leads_to_states_only(table: Table):
    assert set(table.edges) == set(table.states)
    assert frozenset().union(*table.edges.values()) <= set(table.states)
    assert not [state for state, targets in table.edges.items() if state in targets]


@each_table
def test_a_state_is_terminal_exactly_when_it_has_no_exit(table: Table):
    assert {state for state, targets in table.edges.items() if not targets} == table.terminal


@each_table
def test_every_state_is_reachable(table: Table):
    assert _unreachable(table.edges, table.first) == set()


@each_table
@pytest.mark.django_db
def test_the_database_knows_exactly_these_states(table: Table):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [table.constraint]
        )
        ((definition,),) = cursor.fetchall()

    assert set(re.findall(r"'(\w+)'", definition)) == {state.value for state in table.states}


def test_a_saga_is_active_terminal_or_parked():
    assert {*SAGA_ACTIVE, *SAGA_TERMINAL, SagaStatus.PARKED} == set(SagaStatus)
    assert not SAGA_ACTIVE & SAGA_TERMINAL


@pytest.mark.django_db
@pytest.mark.parametrize("start", OrderStatus)
@pytest.mark.parametrize("target", MOVES)
def test_orders_move_in_sql_exactly_along_their_edges(start: OrderStatus, target: OrderStatus):
    order = Order.objects.create(
        client="shop", customer_reference="c", currency="EUR", total_minor=1, status=start, placed_at=NOW
    )

    MOVES[target](order.pk)

    order.refresh_from_db()
    assert order.status == (target if target in ORDER_EDGES[start] else start)


def test_every_status_of_an_order_has_its_move():
    assert {OrderStatus.PENDING, *MOVES} == set(OrderStatus)


def test_the_rule_sees_a_state_that_nobody_reaches():
    edges = {
        SagaStatus.RUNNING: {SagaStatus.COMPLETED},
        SagaStatus.COMPLETED: set(),
        SagaStatus.PARKED: set(),
    }

    assert _unreachable(edges, SagaStatus.RUNNING) == {SagaStatus.PARKED}
