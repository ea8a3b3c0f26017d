"""A status moves along its edge table, and the database knows the same states."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import pytest
from django.db import connection

from orders import store
from orders.models import Order
from orders.states import EDGES as ORDER_EDGES
from orders.states import SOLD, OrderStatus
from payments.states import (
    DISPUTE_EDGES,
    LATE_EDGES,
    NOTICE_EDGES,
    REFUND_EDGES,
    DisputeStatus,
    NoticeStatus,
    PaymentStatus,
    RefundStatus,
)
from payments.states import EDGES as PAYMENT_EDGES
from payments.states import TERMINAL as PAYMENT_TERMINAL
from payments.store import (
    ConcurrentTransitionError,
    IllegalTransitionError,
    PaymentChange,
    RefundChange,
    settle,
    settle_refunds,
)
from resilience.saga.states import ACTIVE as SAGA_ACTIVE
from resilience.saga.states import EDGES as SAGA_EDGES
from resilience.saga.states import TERMINAL as SAGA_TERMINAL
from resilience.saga.states import SagaStatus
from tests.architecture.tree import Source, source_of, sources


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
        RefundStatus,
        REFUND_EDGES,
        RefundStatus.PENDING,
        frozenset({RefundStatus.FAILED}),
        "a_refund_status_is_known",
    ),
    Table(
        DisputeStatus,
        DISPUTE_EDGES,
        DisputeStatus.OPEN,
        frozenset({DisputeStatus.WON, DisputeStatus.LOST}),
        "a_dispute_status_is_known",
    ),
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
TOTAL_MINOR = 2
# What a gateway says by itself, after the end or past us.
SEEN_AT_THE_GATEWAY = ("payments/steps/booking.py", "payments/steps/facts.py")
# The store's statements name the statuses that they move from; each is tried from every status.
MOVES: dict[str, tuple[OrderStatus, Callable[[UUID], object]]] = {
    "require_action": (OrderStatus.REQUIRES_ACTION, lambda order_id: store.require_action([order_id])),
    "confirm": (OrderStatus.CONFIRMED, lambda order_id: store.confirm([order_id], now=NOW)),
    "refund nothing": (OrderStatus.CONFIRMED, lambda order_id: store.show_refunds({order_id: 0})),
    "refund a part": (OrderStatus.PARTIALLY_REFUNDED, lambda order_id: store.show_refunds({order_id: 1})),
    "refund all": (OrderStatus.REFUNDED, lambda order_id: store.show_refunds({order_id: TOTAL_MINOR})),
    "cancel": (OrderStatus.CANCELLED, lambda order_id: store.cancel({order_id: "trial"}, now=NOW)),
}
# Not every move to a status may come from every status that has an edge there: a sale is not made by a
# refund that came back, and what is refunded is not sold again.
ONLY_FROM = {"confirm": frozenset(OrderStatus) - SOLD, "refund nothing": SOLD}
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
@pytest.mark.parametrize("move", MOVES)
def test_orders_move_in_sql_exactly_along_their_edges(start: OrderStatus, move: str):
    target, make = MOVES[move]
    moves = target in ORDER_EDGES[start] and start in ONLY_FROM.get(move, OrderStatus)
    order = Order.objects.create(
        client="shop",
        customer_reference="c",
        currency="EUR",
        total_minor=TOTAL_MINOR,
        status=start,
        placed_at=NOW,
    )

    make(order.pk)

    order.refresh_from_db()
    assert order.status == (target if moves else start)


def test_every_edge_of_an_order_has_its_move():
    moved = {
        (start, target)
        for move, (target, _make) in MOVES.items()
        for start in ONLY_FROM.get(move, OrderStatus)
    }

    assert {(start, target) for start, targets in ORDER_EDGES.items() for target in targets} <= moved


# --- What a gateway says after the end ------------------------------------------------------------


def _change(expected: PaymentStatus, status: PaymentStatus, *, is_late: bool) -> PaymentChange:
    return PaymentChange(UUID(int=1), expected, status, 0, "one", "pi_1", is_late=is_late)


def test_a_late_edge_leads_out_of_an_end_and_is_no_edge_of_a_saga():
    assert set(LATE_EDGES) <= PAYMENT_TERMINAL
    assert [start for start, targets in LATE_EDGES.items() if targets & PAYMENT_EDGES[start]] == []


@pytest.mark.django_db
@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("start", PaymentStatus)
@pytest.mark.parametrize("target", PaymentStatus)
def test_a_payment_moves_along_the_edges_of_its_kind_only(
    start: PaymentStatus, target: PaymentStatus, is_late: bool
):
    edges = LATE_EDGES.get(start, frozenset()) if is_late else PAYMENT_EDGES[start]
    is_legal = start is target or target in edges

    # There is no such payment, so that a legal move finds nothing to write.
    with pytest.raises(ConcurrentTransitionError if is_legal else IllegalTransitionError):
        settle([], [_change(start, target, is_late=is_late)], now=NOW)


@pytest.mark.django_db
@pytest.mark.parametrize("start", RefundStatus)
@pytest.mark.parametrize("target", RefundStatus)
def test_a_refund_moves_along_its_edges_only(start: RefundStatus, target: RefundStatus):
    is_legal = target in REFUND_EDGES[start]

    with pytest.raises(ConcurrentTransitionError if is_legal else IllegalTransitionError):
        settle_refunds([RefundChange(UUID(int=1), start, target)], now=NOW)


def _late_changes(source: Source) -> Iterator[str]:
    """Yield each change of a payment that is late."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.keyword) and node.arg == "is_late" and not isinstance(node.value, ast.Name):
            yield f"{source.name}:{node.value.lineno}"


def test_only_what_was_seen_at_a_gateway_makes_a_late_change():
    steps = [
        source
        for source in sources("payments")
        if source.name.startswith("payments/steps/") and source.name not in SEEN_AT_THE_GATEWAY
    ]

    assert len(steps) > 5
    assert [found for source in steps for found in _late_changes(source)] == []


def test_the_rule_sees_a_late_change():
    text = "change_of(tender, PaymentStatus.CAPTURED, is_late=True)"

    assert list(_late_changes(source_of("payments/steps/bad.py", text))) == ["payments/steps/bad.py:1"]


def test_the_rule_sees_a_state_that_nobody_reaches():
    edges = {
        SagaStatus.RUNNING: {SagaStatus.COMPLETED},
        SagaStatus.COMPLETED: set(),
        SagaStatus.PARKED: set(),
    }

    assert _unreachable(edges, SagaStatus.RUNNING) == {SagaStatus.PARKED}
