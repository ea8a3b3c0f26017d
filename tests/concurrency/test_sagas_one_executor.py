"""Five workers told of one saga: one carries it. A worker that wakes too late: it writes nothing."""

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, connections

from resilience import crashpoints
from resilience.clock import now
from resilience.crashpoints import Fault
from resilience.saga.models import Saga, SagaStep
from resilience.saga.runner import Runner
from tests.conftest import SandboxClient
from tests.orders_kit import books, carry_to_the_end, place, runner, saga_ids, stock, stock_left
from tests.processes import wait_until
from tests.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)
FORK = multiprocessing.get_context("fork")
WORKERS = 5
LEASE_S = 0.6
LIMIT_S = 30.0
STEPS = ["reserve_stock", "authorize_payment", "capture_payment", "confirm_order"]
ROWS_OF_AN_ORDER = {
    "orders_order": "id = %s",
    "orders_order_line": "order_id = %s",
    "orders_reservation": "order_id = %s",
    "orders_product": "%s IS NOT NULL",
    "payments_payment": "order_id = %s",
    "payments_operation": "payment_id IN (SELECT id FROM payments_payment WHERE order_id = %s)",
    "resilience_saga": "business_key = %s",
    "resilience_saga_step": "saga_id IN (SELECT id FROM resilience_saga WHERE business_key = %s)",
    "resilience_event": "payload::text LIKE '%%' || %s || '%%'",
}


def rows_of(order_id: UUID) -> dict[str, list[tuple[object, ...]]]:
    """Return every row that belongs to an order, whole."""
    rows = {}
    with connection.cursor() as cursor:
        for table, condition in ROWS_OF_AN_ORDER.items():
            cursor.execute(f"SELECT t::text FROM {table} t WHERE {condition} ORDER BY 1", [str(order_id)])
            rows[table] = cursor.fetchall()
    return rows


def asked_of_the_gateway(sandbox: SandboxClient, order_id: UUID) -> Counter[str]:
    rows = sandbox.rows("SELECT operation FROM requests WHERE order_id = ?", str(order_id))
    return Counter(row["operation"] for row in rows)


def assert_carried_once(sandbox: SandboxClient, order_id: UUID) -> None:
    assert asked_of_the_gateway(sandbox, order_id) == {"create": 1, "capture": 1}
    steps = SagaStep.objects.order_by("id").values_list("step", "direction", "outcome")
    assert list(steps) == [(step, "do", "done") for step in STEPS]
    assert books(order_id, sandbox.orders()).events == ("order.placed", "order.confirmed")
    assert stock_left() == (9, 0)


def test_of_five_threads_one_carries_the_saga(sandbox: SandboxClient) -> None:
    stock(10)
    order_id = place()
    ids = saga_ids([order_id])
    workers = [runner(lease_s=10, name=f"worker-{number}") for number in range(WORKERS)]

    claims = at_once([lambda worker=worker: _insist(worker, ids) for worker in workers])  # type: ignore[misc]

    assert sorted(claims) == [0] * (WORKERS - 1) + [1]
    assert_carried_once(sandbox, order_id)


def test_of_five_processes_one_carries_the_saga(sandbox: SandboxClient) -> None:
    stock(10)
    order_id = place()
    ids = saga_ids([order_id])
    barrier, claimed = FORK.Barrier(WORKERS), FORK.Value("i", 0)

    def work() -> None:
        connection.ensure_connection()
        barrier.wait(LIMIT_S)
        claims = _insist(runner(lease_s=10, name=f"worker-{os.getpid()}"), ids)
        with claimed.get_lock():
            claimed.value += claims

    children = [_fork(work) for _worker in range(WORKERS)]
    for child in children:
        child.join(LIMIT_S)

    assert [child.exitcode for child in children] == [0] * WORKERS
    assert claimed.value == 1
    assert_carried_once(sandbox, order_id)


@pytest.mark.parametrize(
    "point",
    [
        "place_order.authorize_payment.do.after_call",
        "place_order.capture_payment.do.before_call",
        "place_order.capture_payment.do.after_call",
        # Stopped inside its transaction, until the server ends the session that idles there (5 s).
        "place_order.confirm_order.do.before_commit",
    ],
)
def test_a_worker_that_wakes_after_its_lease_writes_nothing(point: str, sandbox: SandboxClient) -> None:
    stock(10)
    order_id = place()

    with _stopped_worker(order_id, point) as child:
        carry_to_the_end([order_id], within_s=LIMIT_S, lease_s=10)
        before = rows_of(order_id)
        os.kill(child.pid or 0, signal.SIGCONT)
        child.join(LIMIT_S)

    assert child.exitcode == 0
    assert rows_of(order_id) == before
    assert all(before.values()), "each table must have rows for this test to say anything"
    seen = books(order_id, sandbox.orders())
    assert (seen.status, seen.captures, seen.captured_minor, seen.open_authorizations) == (
        "confirmed",
        1,
        1000,
        0,
    )
    assert stock_left() == (9, 0)
    assert Saga.objects.get().status == "completed"


def _insist(worker: Runner, ids: list[UUID]) -> int:
    """Run these sagas over and over until they have ended; return how often they were claimed."""
    claims = worker.run(ids).claimed
    while Saga.objects.filter(id__in=ids, ended_at=None).exists():
        claims += worker.run(ids).claimed
    return claims


@contextmanager
def _stopped_worker(order_id: UUID, point: str) -> Iterator[BaseProcess]:
    """Fork a worker that carries the order until `point` and is stopped there by the kernel."""
    ids = saga_ids([order_id])
    struck = FORK.Event()

    def work() -> None:
        crashpoints.arm(point, Fault.HANG, hang_s=1.0)
        threading.Thread(target=_tell_when_struck, args=(point, struck.set), daemon=True).start()
        try:
            runner(lease_s=LEASE_S, name="stopped").run(ids)
        except DatabaseError:  # the server ended its session meanwhile, as it does for one that sleeps
            assert point.endswith("before_commit")

    child = _fork(work)
    try:
        assert struck.wait(LIMIT_S)
        os.kill(child.pid or 0, signal.SIGSTOP)
        # Who stopped it must have been in time: nothing after the point has happened.
        assert Saga.objects.get().ended_at is None
        wait_until(lambda: not Saga.objects.filter(lease_until__gt=now()).exists())
        yield child
    finally:
        child.kill()  # nothing to it when it has ended, as it should have
        child.join(LIMIT_S)


def _tell_when_struck(point: str, tell: Callable[[], None]) -> None:
    wait_until(lambda: not crashpoints.is_armed(point), limit_s=LIMIT_S)
    tell()


def _fork(work: Callable[[], None]) -> BaseProcess:
    """Run `work` in a forked process, with no connection of ours."""

    def run() -> None:
        with suppress(AssertionError, DatabaseError):
            work()
            os._exit(0)  # without pytest's own farewell, which is the parent's
        os._exit(1)

    # The child inherits no connection: closing one there would end the parent's session.
    connections.close_all()
    process = FORK.Process(target=run)
    process.start()
    return process
