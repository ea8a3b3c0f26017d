"""A worker in the background, for tests of what a client sees while orders are carried."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from resilience.clock import now
from resilience.saga.models import Saga
from resilience.saga.states import ACTIVE
from tests.orders_kit import runner

_PAUSE_S = 0.01


@contextmanager
def orders_are_carried() -> Iterator[None]:
    """Carry every saga that is due, on another thread, until the block ends."""
    stopping = threading.Event()
    thread = threading.Thread(target=_carry, args=(stopping,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(10)
        assert not thread.is_alive()


def _carry(stopping: threading.Event) -> None:
    worker = runner(lease_s=5.0, name="background")
    try:
        while not stopping.is_set():
            due = Saga.objects.filter(status__in=[status.value for status in ACTIVE], due_at__lte=now())
            worker.run(list(due.values_list("id", flat=True)))
            stopping.wait(_PAUSE_S)
    finally:
        connection.close()
