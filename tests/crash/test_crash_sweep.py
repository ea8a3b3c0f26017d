"""Every named point of all sagas x every way to die there: each order ends, and is charged at most once.

A child process is forked for each case and dies, raises or freezes at its point; meanwhile the
parent is the healthy rest of the fleet and carries everything to its end. Then both books are read.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event as EventType
from uuid import UUID

import pytest
from django.db import DatabaseError, connections
from django.db.models import Sum

from orders.sagas import CANCEL_ORDER, PLACE_ORDER
from orders.services.cancel_order import cancel_order
from payments.gateways.base import Refund as RefundRequest
from payments.gateways.registry import gateway
from payments.models import Operation, Payment, Refund
from payments.sagas import REFUND_PAYMENT
from resilience import crashpoints
from resilience.clock import now
from resilience.crashpoints import CrashpointError, Fault
from resilience.saga.definition import SagaDefinition
from resilience.saga.models import Saga
from resilience.saga.runner import Counts
from tests.conftest import SandboxClient
from tests.orders_kit import (
    CLIENT,
    Books,
    books,
    carry_to_the_end,
    keys_of,
    paid,
    place,
    refund,
    runner,
    saga_ids,
    stock,
    stock_left,
)
from tests.processes import wait_until

FORK = multiprocessing.get_context("fork")
LEASE_S = 0.6
HANG_S = 3.0
END_WITHIN_S = 60.0
NOT_STRUCK = 3
PIECES = 1000

LOCAL = ("before_commit", "after_commit")
REMOTE = ("before_call", "after_call", *LOCAL)


def points(definition: SagaDefinition, direction: str, steps: dict[str, tuple[str, ...]]) -> list[str]:
    known = {step.name for step in definition.steps}
    assert set(steps) <= known
    return [f"{definition.name}.{step}.{direction}.{when}" for step, whens in steps.items() for when in whens]


@dataclass(frozen=True)
class Scenario:
    """An order on a given way, the points on that way, and how both books must end."""

    name: str
    begin: Callable[[], UUID]
    points: list[str]
    ends: Books
    pieces_sold: int


def _confirmed_then_cancelled() -> UUID:
    order_id = place()
    carry_to_the_end([order_id], within_s=END_WITHIN_S)
    assert cancel_order(client=CLIENT, order_id=order_id, now=now())
    return order_id


def _refunded_in_part() -> UUID:
    order_id, payment = paid()
    refund(payment, 600)
    return order_id


def _refunded_beside_a_cancellation() -> UUID:
    order_id = _refunded_in_part()
    assert cancel_order(client=CLIENT, order_id=order_id, now=now())
    return order_id


def _refund_refused() -> UUID:
    """The gateway has given all of it back already, past us."""
    order_id, payment = paid()
    by_hand = RefundRequest(f"by-hand-{order_id}", payment.reference, payment.amount_minor, payment.currency)
    gateway(payment.gateway).send(by_hand)
    refund(payment, 600)
    return order_id


def _cancelled_before_the_pivot() -> UUID:
    order_id = place()
    # A request to abort that comes while the first step is still ahead.
    assert cancel_order(client=CLIENT, order_id=order_id, now=now())
    return order_id


SCENARIOS = [
    Scenario(
        name="paid",
        begin=place,
        points=points(
            PLACE_ORDER,
            "do",
            {
                "reserve_stock": LOCAL,
                "authorize_payment": REMOTE,
                "capture_payment": REMOTE,
                "confirm_order": LOCAL,
            },
        ),
        ends=Books("confirmed", 1, 1000, 0, 0, ("committed",), ("order.placed", "order.confirmed")),
        pieces_sold=1,
    ),
    Scenario(
        name="second tender declined",
        begin=lambda: place("pm_card_visa", "pm_card_visa_chargeDeclined"),
        points=points(PLACE_ORDER, "undo", {"authorize_payment": REMOTE, "reserve_stock": LOCAL}),
        ends=Books("cancelled", 0, 0, 0, 0, ("released",), ("order.placed", "order.cancelled")),
        pieces_sold=0,
    ),
    Scenario(
        name="cancelled after it was paid",
        begin=_confirmed_then_cancelled,
        points=points(
            CANCEL_ORDER,
            "do",
            {"stop_placement": LOCAL, "return_payment": REMOTE, "release_stock": LOCAL, "close_order": LOCAL},
        ),
        ends=Books(
            "cancelled",
            1,
            1000,
            1000,
            0,
            ("released",),
            ("order.placed", "order.confirmed", "order.cancelled"),
        ),
        pieces_sold=0,
    ),
    Scenario(
        name="cancelled before it was paid",
        begin=_cancelled_before_the_pivot,
        points=points(PLACE_ORDER, "undo", {"reserve_stock": LOCAL})
        + points(CANCEL_ORDER, "do", {"stop_placement": LOCAL}),
        ends=Books("cancelled", 0, 0, 0, 0, ("released",), ("order.placed", "order.cancelled")),
        pieces_sold=0,
    ),
    Scenario(
        name="refunded in part",
        begin=_refunded_in_part,
        points=points(REFUND_PAYMENT, "do", {"refund_payment": REMOTE}),
        ends=Books("confirmed", 1, 1000, 600, 0, ("committed",), ("order.placed", "order.confirmed")),
        pieces_sold=1,
    ),
    Scenario(
        name="refund refused",
        begin=_refund_refused,
        points=points(REFUND_PAYMENT, "undo", {"refund_payment": LOCAL}),
        ends=Books("confirmed", 1, 1000, 1000, 0, ("committed",), ("order.placed", "order.confirmed")),
        pieces_sold=1,
    ),
    Scenario(
        name="refunded beside a cancellation",
        begin=_refunded_beside_a_cancellation,
        points=points(REFUND_PAYMENT, "do", {"refund_payment": REMOTE})
        + points(CANCEL_ORDER, "do", {"return_payment": REMOTE}),
        ends=Books(
            "cancelled",
            1,
            1000,
            1000,
            0,
            ("released",),
            ("order.placed", "order.confirmed", "order.cancelled"),
        ),
        pieces_sold=0,
    ),
]


@pytest.fixture(autouse=True)
def _nothing_armed() -> Iterator[None]:
    yield
    crashpoints.disarm_all()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_order_ends_once_wherever_a_worker_dies(
    scenario: Scenario, fault: Fault, sandbox: SandboxClient
) -> None:
    stock(PIECES)
    cases = {point: scenario.begin() for point in scenario.points}
    keys = keys_of(cases.values())

    children = {point: Armed.start(order_id, point, fault) for point, order_id in cases.items()}
    for child in children.values():
        child.wait_until_struck()
    carry_to_the_end(keys, within_s=END_WITHIN_S)
    for child in children.values():
        child.process.join(END_WITHIN_S)
    # What a frozen worker held when it woke is due again once its lease is over.
    carry_to_the_end(keys, within_s=END_WITHIN_S)

    exits = {point: child.process.exitcode for point, child in children.items()}
    assert exits == dict.fromkeys(cases, -signal.SIGKILL if fault is Fault.KILL else 0)
    gateway_book = sandbox.orders()
    ends = {point: books(order_id, gateway_book) for point, order_id in cases.items()}
    assert ends == dict.fromkeys(cases, scenario.ends)
    assert stock_left() == (PIECES - scenario.pieces_sold * len(cases), 0)
    assert set(Saga.objects.values_list("status", flat=True)) <= {"completed", "compensated"}
    # Nothing stays reserved, and what we think was given back was.
    assert not Payment.objects.exclude(refund_reserved_minor=0).exists()
    assert not Operation.objects.exclude(phase="settled").exists()
    made = Refund.objects.filter(status="succeeded").values("payment__order_id")
    made = {str(row["payment__order_id"]): row["total"] for row in made.annotate(total=Sum("amount_minor"))}
    assert scenario.begin is _refund_refused or made == {
        order_id: seen["refunded"]
        for order_id, seen in gateway_book.items()
        if UUID(order_id) in keys and seen["refunded"]
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", ["reset_after", "lose_answer", "reset_before", "garbage"])
@pytest.mark.parametrize(
    ("operation", "begin", "ends"),
    [
        ("create", place, SCENARIOS[0].ends),
        ("capture", place, SCENARIOS[0].ends),
        ("cancel", SCENARIOS[1].begin, SCENARIOS[1].ends),
        ("refund", _confirmed_then_cancelled, SCENARIOS[2].ends),
        ("refund", _refunded_in_part, SCENARIOS[4].ends),
    ],
    ids=["authorize", "capture", "void", "return", "refund"],
)
def test_a_lost_answer_is_asked_for_and_never_guessed(
    fault: str, operation: str, begin: Callable[[], UUID], ends: Books, sandbox: SandboxClient
) -> None:
    stock(PIECES)
    order_id = begin()
    # A hanging answer is cut by the gateway after a moment, so that the test need not wait for our limit.
    sandbox.faults({"fault": fault, "operation": operation, "times": 1, "delay_ms": 200})

    carry_to_the_end(keys_of([order_id]), within_s=END_WITHIN_S)

    assert books(order_id, sandbox.orders()) == ends


@dataclass(frozen=True)
class Armed:
    """A worker in a process of its own that strikes at a point."""

    process: BaseProcess
    struck: EventType

    @classmethod
    def start(cls, order_id: UUID, point: str, fault: Fault) -> "Armed":
        ids = saga_ids(keys_of([order_id]))
        # The child inherits no connection: closing one there would end the parent's session.
        connections.close_all()
        struck = FORK.Event()
        process = FORK.Process(target=_work, args=(ids, point, fault, struck))
        process.start()
        return cls(process, struck)

    def wait_until_struck(self) -> None:
        wait_until(lambda: self.struck.is_set() or self.process.exitcode is not None, limit_s=END_WITHIN_S)


def _work(ids: list[UUID], point: str, fault: Fault, struck: EventType) -> None:
    crashpoints.arm(point, fault, hang_s=HANG_S)
    threading.Thread(target=_tell_when_struck, args=(point, struck), daemon=True).start()
    worker = runner(lease_s=LEASE_S, name=f"armed-{os.getpid()}")
    while crashpoints.is_armed(point) and Saga.objects.filter(id__in=ids, ended_at=None).exists():
        with suppress(CrashpointError, DatabaseError):
            if worker.run(ids) == Counts():
                time.sleep(0.01)
    os._exit(NOT_STRUCK if crashpoints.is_armed(point) else 0)


def _tell_when_struck(point: str, struck: EventType) -> None:
    while crashpoints.is_armed(point):
        time.sleep(0.005)
    struck.set()
